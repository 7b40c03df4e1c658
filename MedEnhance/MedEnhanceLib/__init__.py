"""The Slicer layer of MedEnhance, shared by its modules; it never imports PyTorch."""
