"""What the values of our label maps stand for, as segments of a DICOM segmentation."""

from __future__ import annotations

from typing import Literal

from medenhance.dicom.objects import codes
from medenhance.dicom.objects.content import Segment

SegmentKind = Literal["hemorrhage", "rib", "thoracic-transverse-process", "lumbar-lump"]

# A lump is the echo of a lumbar vertebra's laminae and articular processes as one; no code names it, so it is coded as
# what it belongs to. The dictionaries call a transverse process "Transverse process or vertebra" (CID 6115).
SEGMENT_KINDS: dict[SegmentKind, Segment] = {
    "hemorrhage": Segment("Hemorrhage", codes.HEMORRHAGE, region=codes.BRAIN, colour=(220, 40, 40)),
    "rib": Segment("Rib", codes.RIB, codes.ANATOMICAL_STRUCTURE, colour=(242, 214, 145)),
    "thoracic-transverse-process": Segment(
        "Thoracic transverse process",
        codes.TRANSVERSE_PROCESS,
        codes.ANATOMICAL_STRUCTURE,
        codes.THORACIC_SPINE,
        colour=(115, 191, 242),
    ),
    "lumbar-lump": Segment(
        "Lumbar lump", codes.VERTEBRA, codes.ANATOMICAL_STRUCTURE, codes.LUMBAR_SPINE, colour=(191, 153, 242)
    ),
}
# Values 1 to 3 of a label map of the spine in the order "da-gan" (`medenhance.spine.labels`).
SPINE_KINDS: tuple[SegmentKind, ...] = ("rib", "thoracic-transverse-process", "lumbar-lump")
