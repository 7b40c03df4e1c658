"""Intracranial haemorrhage on head CT: what the task `detect-hemorrhage` is made of. Research use only."""
