"""Simulated spine ultrasound: a subject's posture, bones, tissue and sweep, and the coronal projections that follow.

`simulate_case(seed, config)` in `simulate` joins the rest; `case` says what it returns. What is simulated resembles
ultrasound in the ways that `comparison` measures and in no other: nothing learned from it alone tells about patients.
"""
