"""`medenhance-train simulate spine-ultrasound`: subjects with scoliosis as 3D ultrasound would show their backs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint

if TYPE_CHECKING:
    import numpy as np

    from medenhance_training.data.spine.config import SpineConfig


@dataclass(frozen=True)
class SimulateSpineUltrasound:
    """Simulate coronal projections of spine ultrasound, with everything that is true about them. Research use only.

    Each subject gets a folder: five projections, their clean twins, where they differ, the label image, the landmarks,
    tilts and curves, and with --volume the 3D volume. A subject depends on its seed alone. With --compare IMAGE, a
    table sets their structured noise beside that of a real projection.
    """

    output: Annotated[Positional[Path | None], arg(metavar="OUTPUT")] = None
    """Folder to write to; may be left out with --compare."""
    cases: Annotated[int, arg(metavar="N")] = 1
    """How many subjects."""
    seed: int = 0
    """Seed of the first subject; the next ones have the next numbers."""
    pixel_mm: float = 0.2
    """Side of a pixel; 0.2 mm gives 2574 x 640 px."""
    habitus: Literal["slim", "average", "heavy", "difficult"] | None = None
    """Body type of every subject; drawn when left out."""
    curves: Literal[0, 1, 2] | None = None
    """Number of main curves of every subject; drawn when left out."""
    curve_deg: tuple[float, float] = (0.0, 60.0)
    """Range of a main curve's angle."""
    missing: tuple[float, float] = (0.0, 0.3)
    """Range of the share of invisible processes and ribs."""
    stripes: float = 1.0
    """Strength of the structured noise; 0 for none."""
    volume: bool = False
    """Write the 3D volume too; at 0.2 mm that is about 120 MB and half a minute a subject, at 0.5 mm 20 MB."""
    compare: Annotated[Path | None, arg(metavar="IMAGE")] = None
    """Real projection, 8-bit grey PNG."""


def simulate_spine_ultrasound(args: SimulateSpineUltrasound, progress: Progress | None = None) -> tuple[str, ...]:
    """Do what the command line asks for.

    Returns:
        Lines to print: folders that were written, then the table.

    Raises:
        MedEnhanceError: An option makes no sense, the image cannot be read or the folder cannot be written.
    """
    from medenhance_training.data.spine.files import write_case
    from medenhance_training.data.spine.simulate import simulate_case

    progress = progress or Silent()
    config = _checked(args)
    real = None if args.compare is None else _grey_image(args.compare)
    lines, compared = [], []
    for k in range(args.cases):
        checkpoint(progress, "simulate", k / args.cases)
        case = simulate_case(args.seed + k, config)
        compared.append(case.projections[len(case.projections) // 2])
        if args.output is not None:
            folder = args.output / f"case_{args.seed + k:05d}"
            write_case(case, folder)
            lines.append(str(folder))
    if real is not None:
        from medenhance_training.data.spine.comparison import comparison_table

        lines.append(comparison_table(real, compared))
    return tuple(lines)


def _checked(args: SimulateSpineUltrasound) -> SpineConfig:
    from medenhance_training.data.spine.config import SpineConfig

    if args.output is None and args.compare is None:
        raise MedEnhanceError("bad-option", "OUTPUT is missing.", "Name a folder, or a real image with --compare.")
    if args.cases < 1 or args.seed < 0:
        raise MedEnhanceError("bad-option", f"{args.cases} subjects from seed {args.seed} make no sense.")
    if args.compare is not None and args.pixel_mm > 0.3:
        # The patches of the measure would hold other things than those of the real image.
        raise MedEnhanceError("bad-option", "A comparison needs the real image's scale.", "Leave --pixel-mm at 0.2.")
    try:
        return SpineConfig(
            pixel_mm=args.pixel_mm, habitus=args.habitus, num_curves=args.curves, curve_deg=args.curve_deg,
            missing_share=args.missing, stripes=args.stripes, with_volume=args.volume,
        )  # fmt: skip
    except ValueError as error:
        raise MedEnhanceError("bad-option", f"{error}.", "See --help for what each option accepts.") from error


def _grey_image(path: Path) -> np.ndarray:
    """(R, C) uint8."""
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise MedEnhanceError("input-unreadable", f"{path} cannot be read as an image.") from error
    array = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() != 1 or array.ndim != 2 or array.dtype != "uint8":
        raise MedEnhanceError("input-unsuitable", f"{path} is no 8-bit grey picture.", "Convert it to 8-bit grey.")
    if min(array.shape) < 368:
        raise MedEnhanceError(
            "input-unsuitable", f"{path} has {array.shape[1]} x {array.shape[0]} px.", "368 x 368 px are needed."
        )
    return array
