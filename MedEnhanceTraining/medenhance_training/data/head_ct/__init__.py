"""Simulated head CT with bleeds: anatomy, five kinds of haemorrhage, look-alikes, acquisition, and the truth of it all.

`simulate_head(seed, config)` in `simulate` joins the rest; `insert_lesions` in `insert` puts the same lesions into a
real scan; `case` says what they return. What is simulated resembles head CT in the ways that `comparison` measures and
in no other: nothing learned from it alone tells about patients.
"""
