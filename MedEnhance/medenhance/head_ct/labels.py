"""What the classes of an intracranial haemorrhage are called."""

from __future__ import annotations

# In the order of the public data set BHSD, whose label maps number them 1 to 5 (spec section 5).
SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")
SUBTYPE_IDS = {name: number for number, name in enumerate(SUBTYPES, start=1)}
BACKGROUND = 0
# Any of them: what SMART-Net is trained on (thesis 2.1: five subtypes merged to one label and one mask).
ANY = "any"
