"""DICOM: series in, checked; derived series out."""
