"""What requests on head CTs have in common: the options that hold for one scan and for every scan of a worklist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageOptions


@dataclass(frozen=True)
class Thresholds:
    """When a suspected bleed is critical or has grown: `medenhance.head_ct.priority.PriorityThresholds`."""

    critical_ml: float = 30.0
    critical_shift_mm: float = 5.0
    growth_share: float = 0.33
    growth_ml: float = 6.0


@dataclass(frozen=True)
class HemorrhageOptions:
    """How a scan is judged, and what is written of it."""

    model: str | None = None
    operating_point: str | None = None
    mask_threshold: float | None = None
    top_slices: int = 5
    thresholds: Thresholds = field(default_factory=Thresholds)
    report: bool = False
    format: Literal["nrrd", "nifti"] = "nrrd"
    dicom: tuple[Literal["seg", "sr", "ko"], ...] = ()
    device: str = "auto"
    precision: str = "auto"

    def of_task(self) -> DetectHemorrhageOptions:
        """The options of the task, which a worker loads only when it is asked for one."""
        from medenhance.head_ct.priority import PriorityThresholds
        from medenhance.tasks.detect_hemorrhage import DetectHemorrhageOptions

        return DetectHemorrhageOptions(
            model=self.model,
            operating_point=self.operating_point,
            mask_threshold=self.mask_threshold,
            top_slices=self.top_slices,
            thresholds=PriorityThresholds(**vars(self.thresholds)),
            device=self.device,
            precision=self.precision,
        )
