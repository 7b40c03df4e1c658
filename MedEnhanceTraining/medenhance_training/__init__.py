"""Trains, evaluates and publishes the networks of MedEnhance. Research use only."""

__version__ = "0.1.0"
