"""DICOM objects about a series: segmentation, measurement report and key object selection."""
