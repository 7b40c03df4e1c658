"""What was measured, in physical units: image quality, noise, resolution, detectability and the trust report.

One measure a file: `tissue` (where to measure), `noise`, `noise_power`, `bias`, `residual` (what a denoiser did to a
patient study, joined in `trust`), `image_quality` (against a known reference), `task_transfer` and `detectability`
(phantom scans, joined in `phantom`).
"""
