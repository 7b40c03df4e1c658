"""What a simulated subject may be: field, body habitus, curves, missing processes and the scan's quality."""

from __future__ import annotations

from dataclasses import dataclass

# The one public coronal projection has 2574 x 640 px; 26 to 28 mm a thoracic level make its pixel about 0.2 mm
# (specification, section 5.3).
NATIVE_FIELD_MM = (514.8, 128.0)
NATIVE_PIXEL_MM = 0.2
NUM_DEPTHS = 5
# Projection depths lie about the lamina's, 4 mm apart, and a slab is 10 mm thick (specification, section 5.2).
DEPTH_STEP_MM, SLAB_MM = 4.0, 10.0

Edit = tuple[str, str]
Shift = tuple[str, str, float]


@dataclass(frozen=True)
class Habitus:
    """A body type.

    Attributes:
        name: Its name.
        lamina_mm: Depth of the laminae below the skin; the processes' depths scale with it.
        attenuation: Grey levels lost for each mm of depth.
        shadow_strength: Mean share of the echo that a bone takes away, 0 to 1.
        blur_mm: Standard deviation of the beam's lateral blur.
        gain: Factor of the tissue's grey.
    """

    name: str
    lamina_mm: float
    attenuation: float
    shadow_strength: float
    blur_mm: float
    gain: float


# Guesses that keep the order seen clinically: thicker tissue puts bone deeper and blurs and weakens its shadow.
HABITUS = {
    habitus.name: habitus
    for habitus in (
        Habitus("slim", 26.0, 1.0, 0.85, 0.8, 1.05),
        Habitus("average", 31.0, 1.4, 0.80, 1.0, 1.0),
        Habitus("heavy", 38.0, 1.8, 0.72, 1.4, 0.92),
        Habitus("difficult", 44.0, 2.2, 0.55, 1.9, 0.80),
    )
}
HABITUS_SHARES = {"slim": 0.3, "average": 0.4, "heavy": 0.2, "difficult": 0.1}


@dataclass(frozen=True)
class SpineConfig:
    """What may be drawn for a subject. Every range is (lowest, highest).

    Attributes:
        field_mm: Height and width of a projection.
        pixel_mm: Side of its square pixels; also the volume's row and column spacing.
        habitus: Key of `HABITUS`, or None to draw one.
        num_curves: 0, 1 or 2 main curves, or None to draw.
        curve_deg: Angle of a main curve.
        missing_share: Share of the subject's processes and ribs that are invisible in every depth.
        stray_share: Share of the processes that lie up to 7 mm above or below their level and their rib. Training with
            some keeps a network from placing processes where neighbours would have them.
        stripes: Strength of the structured noise; 0 makes the noisy image equal its clean twin, 1 is the real image's.
        with_volume: Also make the 3D volume.
        volume_depth_mm: Spacing of the volume's planes.
        deleted: Processes that are removed from every depth, their ribs left, each as (level, "left" or "right" or
            "middle").
        shifted: Processes, each with its rib, that lie lower by so many mm than their level says, as (level, side, mm).
    """

    field_mm: tuple[float, float] = NATIVE_FIELD_MM
    pixel_mm: float = NATIVE_PIXEL_MM
    habitus: str | None = None
    num_curves: int | None = None
    curve_deg: tuple[float, float] = (0.0, 60.0)
    missing_share: tuple[float, float] = (0.0, 0.3)
    stray_share: float = 0.0
    stripes: float = 1.0
    with_volume: bool = False
    volume_depth_mm: float = 0.8
    deleted: tuple[Edit, ...] = ()
    shifted: tuple[Shift, ...] = ()

    def __post_init__(self) -> None:
        if self.habitus is not None and self.habitus not in HABITUS:
            raise ValueError(f"habitus is one of {', '.join(HABITUS)}, not {self.habitus!r}")
        if self.num_curves not in (None, 0, 1, 2):
            raise ValueError(f"a subject has 0, 1 or 2 main curves, not {self.num_curves}")
        if not 0 < self.pixel_mm <= 1:
            raise ValueError(f"pixel_mm lies above 0 and up to 1, not {self.pixel_mm}")
        if not 0 <= self.curve_deg[0] <= self.curve_deg[1] <= 60:
            raise ValueError(f"curve_deg lies within 0 to 60 degrees, not {self.curve_deg}")
        if not 0 <= self.missing_share[0] <= self.missing_share[1] <= 1:
            raise ValueError(f"missing_share lies within 0 to 1, not {self.missing_share}")
        if not 0 <= self.stray_share <= 1:
            raise ValueError(f"stray_share lies within 0 to 1, not {self.stray_share}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a projection."""
        return round(self.field_mm[0] / self.pixel_mm), round(self.field_mm[1] / self.pixel_mm)
