"""The demonstration: a low-dose case whose truth is known, denoised and compared with it, or a study of the user's.

The built-in case was made by `medenhance-train simulate low-dose-ct`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medenhance.cache import sha256_of
from medenhance.errors import MedEnhanceError
from medenhance.files import replacing, write_json
from medenhance.manifest import RESOURCES
from medenhance.measure.bias import TileMeans, pooled_bias, tile_means
from medenhance.measure.image_quality import Window, psnr, rmse_hu, ssim
from medenhance.measure.tissue import TISSUES, map_tissues, valid_pixels
from medenhance.measure.trust import TrustReport
from medenhance.progress import Progress
from medenhance.staged_run import outputs_of, run_staged
from medenhance.study import check_output, read_study
from medenhance.tasks.denoise_ct import DenoiseOptions, DenoiseRequest

LOW_DOSE = RESOURCES / "demo_low_dose.nrrd"
TRUTH = RESOURCES / "demo_truth.nrrd"
WINDOW_HU: Window = (-160.0, 240.0)  # soft tissue, the window of the low-dose CT literature
MARKER = "medenhance-demo.json"


@dataclass(frozen=True)
class Quality:
    """How near an image is to the truth.

    Attributes:
        psnr_db: In `WINDOW_HU`.
        ssim: In `WINDOW_HU`.
        rmse_hu: In `WINDOW_HU`.
        bias_hu: Mean of image minus truth well inside each tissue; None where there is too little of it.
    """

    psnr_db: float
    ssim: float
    rmse_hu: float
    bias_hu: dict[str, float | None]


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found and wrote.

    Attributes:
        report: The trust report.
        files: What was written, by a word for it.
        before: The low-dose case against its truth; None for a study without a known truth.
        after: The denoised case against its truth.
    """

    report: TrustReport
    files: dict[str, Path]
    before: Quality | None = None
    after: Quality | None = None


def run_demo(
    folder: Path, options: DenoiseOptions, progress: Progress, path: Path | None = None, series: str | None = None
) -> DemoResult:
    """Denoise the built-in case, or the study at ``path``, and write everything into ``folder``.

    Files of an earlier demonstration in the folder are replaced, anything else in it is left alone.

    Raises:
        MedEnhanceError: As `medenhance.tasks.denoise_ct.run`; output-refused for a file that is in the way.
    """
    copies = {} if path is not None else {"low-dose case": LOW_DOSE, "truth": TRUTH}
    request = _request(folder, path or LOW_DOSE, options, series)
    targets = {what: folder / _copied_name(source) for what, source in copies.items()}
    _refuse_foreign_files(folder, [*outputs_of(request), *targets.values()])
    check_output(request.output, request.input)
    report = run_staged(request, progress)
    for what, source in copies.items():
        with replacing(targets[what]) as temporary:
            shutil.copyfile(source, temporary)
    files = {**targets, **_named_outputs(request)}
    _write_marker(folder, list(files.values()))
    if path is not None:
        return DemoResult(report, files)
    progress.update("compare", 0.0)
    before, after = (compare(read_study(image).array, read_study(TRUTH).array) for image in (LOW_DOSE, request.output))
    return DemoResult(report, files, before, after)


def compare(image: np.ndarray, truth: np.ndarray) -> Quality:
    """Measure an image against the truth.

    Args:
        image: (D, H, W), HU.
        truth: (D, H, W), HU. Tissues are taken from it, so that both sides of a comparison use the same pixels.
    """
    return Quality(
        psnr_db=psnr(image, truth, WINDOW_HU),
        ssim=ssim(image, truth, WINDOW_HU),
        rmse_hu=rmse_hu(image, truth, WINDOW_HU),
        bias_hu=_bias_by_tissue(image, truth),
    )


def _bias_by_tissue(image: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    tiles: dict[str, list[TileMeans]] = {tissue.name: [] for tissue in TISSUES}
    for k in range(len(truth)):
        one, true = image[k].astype(np.float32), truth[k].astype(np.float32)
        tissues = map_tissues(true, valid_pixels(true, one, None))
        for tissue in TISSUES:
            tiles[tissue.name].append(tile_means(one - true, tissues.interior(tissue)))
    pooled = {name: pooled_bias(found) for name, found in tiles.items()}
    return {name: bias.mean_hu if bias else None for name, bias in pooled.items()}


def _request(folder: Path, path: Path, options: DenoiseOptions, series: str | None) -> DenoiseRequest:
    return DenoiseRequest(
        input=path,
        output=folder / "denoised.nrrd",
        residual=folder / "residual.nrrd",
        report=folder / "report.json",
        figure=folder / "report.png",
        series=series,
        options=options,
    )


def _named_outputs(request: DenoiseRequest) -> dict[str, Path]:
    assert request.residual is not None
    assert request.report is not None
    assert request.figure is not None
    return {
        "denoised": request.output,
        "residual": request.residual,
        "report": request.report,
        "figure": request.figure,
    }


def _copied_name(source: Path) -> str:
    return source.name.removeprefix("demo_")


def _refuse_foreign_files(folder: Path, paths: list[Path]) -> None:
    """Refuse to replace a file unless an earlier demonstration wrote it and nobody changed it since."""
    written = _read_marker(folder / MARKER)
    for path in paths:
        if path.exists() and not (path.is_file() and sha256_of(path) == written.get(path.name)):
            message = f"{path} is in the way: it is not the work of an earlier demonstration."
            raise MedEnhanceError("output-refused", message, "Choose another folder with --output.")


def _read_marker(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} is in the way: it is not the work of an earlier demonstration."
        raise MedEnhanceError("output-refused", message, "Choose another folder with --output.") from error


def _write_marker(folder: Path, files: list[Path]) -> None:
    write_json(folder / MARKER, {"files": {path.name: sha256_of(path) for path in files}})
