"""`medenhance-train simulate head-ct`: head CT scans with bleeds and everything that is true about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint

if TYPE_CHECKING:
    from medenhance.volume import Volume
    from medenhance_training.data.head_ct.case import HeadCase
    from medenhance_training.data.head_ct.config import HeadConfig

Subtype = Literal["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural"]


@dataclass(frozen=True)
class SimulateHeadCt:
    """Simulate head CT scans with and without bleeds, with everything that is true about them. Research use only.

    Each scan gets a folder: the scan, its bleeds by subtype and its ventricles as NRRD files, the true numbers as
    JSON, and with --dicom the scan as a DICOM series. A scan depends on its seed and the options alone. With --insert
    FOLDER, bleeds are put into that real scan instead. With --compare FOLDER, a table sets the scans beside a real one.
    """

    output: Annotated[Positional[Path | None], arg(metavar="OUTPUT")] = None
    """Folder to write to; may be left out with --compare."""
    cases: Annotated[int, arg(metavar="N")] = 1
    """How many scans."""
    seed: int = 0
    """Seed of the first scan; the next ones have the next numbers."""
    preset: Literal["balanced", "natural", "external_shift", "shift_noise", "shift_geometry", "shift_contrast"] = (
        "balanced"
    )
    """Half of the scans bleed, or 15 % (natural); or scanners and patients outside the training's range."""
    prevalence: float | None = None
    """Share of scans that bleed, 0 to 1; the preset's when left out, 1 with --insert."""
    subtypes: tuple[Subtype, ...] = ()
    """Bleeds to draw from; all five when left out."""
    size_px: int = 224
    """Rows and columns, an even number from 64 to 512."""
    dicom: bool = False
    """Write each scan as a DICOM series too."""
    insert: Annotated[Path | None, arg(metavar="SCAN")] = None
    """Real axial head CT without a bleed, DICOM folder or image file, to put bleeds into."""
    compare: Annotated[Path | None, arg(metavar="SCAN")] = None
    """Real head CT to compare with."""


def simulate_head_ct(args: SimulateHeadCt, progress: Progress | None = None) -> tuple[str, ...]:
    """Do what the command line asks for.

    Returns:
        Lines to print: folders that were written, then the table.

    Raises:
        MedEnhanceError: An option makes no sense, a scan cannot be read or the folder cannot be written.
    """
    from medenhance_training.data.head_ct.files import write_case

    progress = progress or Silent()
    config = _checked(args)
    real = None if args.compare is None else _scan(args.compare)
    target = None if args.insert is None else _scan(args.insert)
    lines, compared = [], []
    for k in range(args.cases):
        checkpoint(progress, "simulate", k / args.cases)
        case = _made(args.seed + k, config, target)
        if real is not None:
            compared.append(case.volume)
        if args.output is not None:
            folder = args.output / f"case_{args.seed + k:05d}"
            write_case(case, folder, args.dicom)
            lines.append(str(folder))
    if real is not None:
        from medenhance_training.data.head_ct.comparison import comparison_table

        lines.append(comparison_table(real, compared))
    return tuple(lines)


def _made(seed: int, config: HeadConfig, target: Volume | None) -> HeadCase:
    from medenhance_training.data.head_ct.insert import insert_lesions
    from medenhance_training.data.head_ct.simulate import simulate_head

    return simulate_head(seed, config) if target is None else insert_lesions(target, seed, config)


def _checked(args: SimulateHeadCt) -> HeadConfig:
    from medenhance_training.data.head_ct.config import PRESETS

    if args.output is None and args.compare is None:
        raise MedEnhanceError("bad-option", "OUTPUT is missing.", "Name a folder, or a real scan with --compare.")
    if args.cases < 1 or args.seed < 0:
        raise MedEnhanceError("bad-option", f"{args.cases} scans from seed {args.seed} make no sense.")
    preset = PRESETS[args.preset]
    prevalence = args.prevalence
    if prevalence is None:
        prevalence = preset.prevalence if args.insert is None else 1.0
    try:
        return replace(preset, prevalence=prevalence, subtypes=args.subtypes or preset.subtypes, size_px=args.size_px)
    except ValueError as error:
        raise MedEnhanceError("bad-option", f"{error}.", "See --help for what each option accepts.") from error


def _scan(path: Path) -> Volume:
    from medenhance.study import read_study

    return read_study(path)
