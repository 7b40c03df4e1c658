"""Core of MedEnhance: restoration and analysis of medical images, without Slicer. Research use only."""

__version__ = "0.1.0"
