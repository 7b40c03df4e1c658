"""What the objects say: which algorithm, which segments, which findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from medenhance.dicom.objects.codes import ARTIFICIAL_INTELLIGENCE, MORPHOLOGICALLY_ABNORMAL, Code, Quantity

MAKER = "MedEnhance"
NOTICE = "Research use only, not for clinical use"


@dataclass(frozen=True)
class Algorithm:
    """Who made the content.

    Attributes:
        name, version: Of the model, as `medenhance models list` has them.
        weights_sha256: Of its file; "" when there is none.
        family: CID 7162.
        parameters: Name and value of what was chosen, such as the operating point.
        edited: A person changed the result since.
    """

    name: str
    version: str
    weights_sha256: str = ""
    family: Code = ARTIFICIAL_INTELLIGENCE
    parameters: dict[str, str] = field(default_factory=dict)
    edited: bool = False


@dataclass(frozen=True)
class Segment:
    """One segment of a label map.

    Attributes:
        label: What a list of segments shows, at most 64 characters.
        kind: What it is (CID 7151), such as hemorrhage.
        category: CID 7150.
        region: Where it lies (CID 4), such as brain.
        side: Left, right or bilateral (CID 244).
        colour: Red, green, blue, 0 to 255; None leaves it to the viewer.
    """

    label: str
    kind: Code
    category: Code = MORPHOLOGICALLY_ABNORMAL
    region: Code | None = None
    side: Code | None = None
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Measured:
    """A number and what it measures, such as `Measured(VOLUME_ML, 12.5)`."""

    quantity: Quantity
    value: float


@dataclass(frozen=True)
class Finding:
    """One group of a measurement report: a lesion, all lesions together, or the verdict on the scan.

    Attributes:
        name: Names it in the report, such as "Lesion 1"; no two alike.
        kind: What is found, such as hemorrhage.
        measured: Numbers.
        present: Whether it is there; None when the report does not say.
        region, side: Where it lies.
        segment: Number of its segment (from 1) in the segmentation that the report refers to; None when it has none.
        slices: Evidence: indices of slices in the order of the volume's axis D.
    """

    name: str
    kind: Code
    measured: tuple[Measured, ...] = ()
    present: bool | None = None
    region: Code | None = None
    side: Code | None = None
    segment: int | None = None
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class WrittenObject:
    """An object that was written, as others refer to it.

    Attributes:
        path: Its file.
        sop_class_uid, sop_instance_uid, series_uid: Its own.
        made: Date and time of its content.
        warnings: What a user should know about it, one sentence each.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    made: datetime
    warnings: tuple[str, ...] = ()
