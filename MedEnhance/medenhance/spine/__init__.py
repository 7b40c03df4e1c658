"""Coronal ultrasound of the spine: projections, landmarks and the ultrasound curve angle.

`projection` states how a coronal image lies in the patient; `labels` states what the classes mean. Everything here is
numpy and scipy alone.
"""
