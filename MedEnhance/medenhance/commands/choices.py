"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import FlagCreatePairsOff, arg

if TYPE_CHECKING:
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageOptions


@dataclass(frozen=True, kw_only=True)
class ModelChoices:
    """Options of every command that runs a model."""

    model: Annotated[str | None, arg(metavar="ID")] = None
    """Model to run, see `medenhance models list`; the default one if not given."""
    device: Annotated[str, arg(metavar="D")] = "auto"
    """auto, cpu, cuda, cuda:1, mps or xpu; see `medenhance doctor`."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto takes a short format only where the hardware is built for it and the model allows it."""


@dataclass(frozen=True, kw_only=True)
class HemorrhageChoices(ModelChoices):
    """Options for one head CT, and for a folder of them."""

    operating_point: Annotated[str | None, arg(metavar="NAME")] = None
    """By which operating point of the model's card a scan is flagged; the first if not given."""
    mask_threshold: Annotated[float | None, arg(metavar="P")] = None
    """Probability from which on a voxel belongs to the mask; by the rule of the model's card if not given."""
    critical_ml: Annotated[float, arg(metavar="ML")] = 30.0
    """Suspected volume from which on a scan is critical."""
    critical_shift_mm: Annotated[float, arg(metavar="MM")] = 5.0
    """Midline shift from which on a suspected bleed is critical."""
    report: Annotated[bool, FlagCreatePairsOff] = False
    """Also draw the report of each scan as a figure, report.png."""
    format: Literal["nrrd", "nifti"] = "nrrd"
    """Format of masks."""
    dicom: Annotated[tuple[Literal["seg", "sr", "ko"], ...], arg(metavar="OBJECT ...")] = ()
    """DICOM objects to write: seg (mask), sr (measurements), ko (key images); the input has to be DICOM."""


def hemorrhage_options(chosen: HemorrhageChoices) -> DetectHemorrhageOptions:
    """What the task takes of them."""
    from medenhance.head_ct.priority import PriorityThresholds
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageOptions

    return DetectHemorrhageOptions(
        model=chosen.model,
        operating_point=chosen.operating_point,
        mask_threshold=chosen.mask_threshold,
        thresholds=PriorityThresholds(chosen.critical_ml, chosen.critical_shift_mm),
        device=chosen.device,
        precision=chosen.precision,
    )
