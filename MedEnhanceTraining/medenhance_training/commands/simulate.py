"""`medenhance-train simulate low-dose-ct`: a study as it would look at a lower dose, and the demonstration's case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint

if TYPE_CHECKING:
    import numpy as np

    from medenhance.study import Derivation
    from medenhance.volume import Volume
    from medenhance_training.data.kernels import Kernel
    from medenhance_training.data.low_dose import Scanner


@dataclass(frozen=True)
class SimulateLowDoseCt:
    """Add the noise that a CT study would have at a fraction of its dose. Research use only.

    The noise is drawn in projections of the study itself and only it is reconstructed, so anatomy keeps its sharpness
    and CT numbers keep their mean. With --demo FOLDER, the built-in case of `medenhance demo` is made instead.
    """

    input: Annotated[Positional[Path | None], arg(metavar="INPUT")] = None
    """CT study of normal dose: folder of DICOM slices, DICOM file, NRRD, NIfTI or MHA."""
    output: Annotated[Positional[Path | None], arg(metavar="OUTPUT")] = None
    """Image file to write, or a new or empty folder for a DICOM series."""
    dose: Annotated[float, arg(metavar="A")] = 0.25
    """Fraction of the study's own dose, above 0, at most 1."""
    kernel: Literal["soft", "sharp"] = "soft"
    """Which reconstruction kernel the study's own resembles: soft as B30f, sharp as D45f."""
    cutoff: Annotated[float | None, arg(metavar="PER_MM")] = None
    """Another kernel: frequency in 1/mm where its gain is 1/e. Needs --order."""
    order: Annotated[float | None, arg(metavar="N")] = None
    """Another kernel: how steeply its gain falls; 2 is a Gaussian. Needs --cutoff."""
    photons: Annotated[float, arg(metavar="N0")] = 1.75e5
    """Quanta of an unattenuated ray at full dose, for 1 mm of slice; fewer give more noise."""
    electronic_variance: Annotated[float, arg(metavar="NE")] = 0.0
    """Variance of the detector's electronic noise, in quanta squared; published values are 8 to 50."""
    seed: int = 0
    """The same seed gives the same noise."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when INPUT holds several series."""
    demo: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Write demo_truth.nrrd and demo_low_dose.nrrd there."""


def simulate_low_dose_ct(args: SimulateLowDoseCt, progress: Progress | None = None) -> tuple[Path, ...]:
    """Do what the command line asks for.

    Returns:
        The files or the folder that were written.

    Raises:
        MedEnhanceError: An option makes no sense, the study cannot be read or the output cannot be written.
    """
    progress = progress or Silent()
    if args.demo is not None:
        if args.input is not None or args.output is not None:
            raise MedEnhanceError("bad-option", "--demo takes no INPUT and OUTPUT.", "Leave them out.")
        return write_demo(args.demo)
    if args.input is None or args.output is None:
        raise MedEnhanceError("bad-option", "INPUT and OUTPUT are missing.", "Name both, or give --demo FOLDER.")
    return (_simulate_study(args, args.input, args.output, progress),)


def write_demo(folder: Path) -> tuple[Path, Path]:
    """Write the demonstration's truth and its low-dose twin, as compressed NRRD."""
    import SimpleITK as sitk

    from medenhance.files import replacing
    from medenhance_training.data.demo import demo_case

    case = demo_case()
    paths = folder / "demo_truth.nrrd", folder / "demo_low_dose.nrrd"
    for path, array in zip(paths, (case.truth, case.low), strict=True):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(case.spacing_mm)
        image.SetMetaData("MedEnhance.modality", "CT")
        with replacing(path) as temporary:
            sitk.WriteImage(image, str(temporary), useCompression=True, compressionLevel=9)
    return paths


def _simulate_study(args: SimulateLowDoseCt, source: Path, output: Path, progress: Progress) -> Path:
    import numpy as np

    from medenhance.study import check_output, read_study, write_study
    from medenhance_training.data.studies import slice_thickness_mm

    kernel = _kernel(args)
    check_output(output, source)
    volume = read_study(source, args.series, progress=progress)
    for warning in volume.warnings:
        progress.warn(warning)
    if volume.modality not in (None, "CT"):
        raise MedEnhanceError("input-unsuitable", f"The study's modality is {volume.modality}.", "Give a CT study.")
    scanner = _scanner(args, slice_thickness_mm(volume, volume.grid.spacing_mm[2]))
    array = np.empty(volume.array.shape, np.float32)
    for k in range(len(array)):
        checkpoint(progress, "simulate", k / len(array))
        array[k] = _low_dose_slice(volume, k, args, kernel, scanner)
    result = replace(volume, array=array, file_dtype=_signed(volume))
    for warning in write_study(result, output, _derivation(args, kernel), progress=progress):
        progress.warn(warning)
    return output


def _low_dose_slice(volume: Volume, k: int, args: SimulateLowDoseCt, kernel: Kernel, scanner: Scanner) -> np.ndarray:
    """(H, W) float32 HU; slice k's noise depends on the seed and k alone, padding stays."""
    import numpy as np

    from medenhance_training.data.low_dose import simulate_low_dose
    from medenhance_training.data.studies import square_pixel_mm

    hu, rng = np.asarray(volume.array[k], np.float32), np.random.default_rng([args.seed, k])
    columns, rows, _ = volume.grid.spacing_mm
    low = simulate_low_dose(hu, square_pixel_mm((rows, columns)), args.dose, kernel, scanner, rng)
    return low if volume.padding_below is None else np.where(hu <= volume.padding_below, hu, low)


def _kernel(args: SimulateLowDoseCt) -> Kernel:
    from medenhance_training.data.kernels import KERNELS, Kernel

    if args.cutoff is None and args.order is None:
        return KERNELS[args.kernel]
    if args.cutoff is None or args.order is None or args.cutoff <= 0 or args.order <= 0:
        raise MedEnhanceError(
            "bad-option",
            f"A kernel of cutoff {args.cutoff} and order {args.order} makes no sense.",
            "Give both --cutoff and --order, above 0.",
        )
    return Kernel("custom", args.cutoff, args.order)


def _scanner(args: SimulateLowDoseCt, slice_mm: float) -> Scanner:
    from medenhance_training.data.low_dose import Scanner

    return Scanner(photons=args.photons, electronic_variance=args.electronic_variance, slice_mm=slice_mm)


def _signed(volume: Volume) -> np.dtype | None:
    """A voxel type that holds noise of both signs: clipping at 0 would shift CT numbers."""
    import numpy as np

    stored = volume.file_dtype or volume.array.dtype
    if stored.kind == "u" or stored.itemsize == 1:
        return np.dtype(np.int16 if stored.itemsize == 1 else np.int32)
    return volume.file_dtype


def _derivation(args: SimulateLowDoseCt, kernel: Kernel) -> Derivation:
    from medenhance.study import Derivation
    from medenhance_training import __version__

    return Derivation(
        model_id="low-dose-ct-simulation",
        model_version=__version__,
        weights_sha256="",
        description="Simulated low-dose CT: noise inserted in the projection domain, research use only",
        series_suffix=f"simulated {args.dose:.0%} dose",
        parameters={
            "dose": f"{args.dose:g}",
            "kernel": f"exp(-(f/{kernel.cutoff_per_mm:g})^{kernel.order:g})",
            "photons": f"{args.photons:g}",
            "electronic variance": f"{args.electronic_variance:g}",
            "seed": str(args.seed),
        },
    )
