"""What is stated of a model: every number from its evaluation, every other fact from the record of its training run."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration
from medenhance.head_ct.volume_spread import VolumeSpread
from medenhance.manifest import ModelEntry, TrustedRange
from medenhance.measure.tissue import AIR
from medenhance.measure.trust import NOTICE
from medenhance.weights import entry_of
from medenhance_training.benchmark.pairs import OWN, REAL, is_unchanged
from medenhance_training.data.index import load_index
from medenhance_training.evaluate import MAIN_WINDOW_HU, SliceFigures, pooled_structure
from medenhance_training.evaluation import Evaluation
from medenhance_training.recipes import RECIPES
from medenhance_training.run_record import to_plain
from medenhance_training.table import Table, number

# A figure of a study beyond what 95 % of the held-out slices showed, with a margin, is out of the ordinary.
_QUANTILE = 0.95
_BIAS_MARGIN, _STRUCTURE_MARGIN, _SPACING_MARGIN = 1.5, 1.25, 0.05
# Weights of others, such as torchvision's of ImageNet, which say nothing of their training.
_FOREIGN = (".pth", ".pt")
# Where files lie and how long a session lasts does not change what is trained.
_NOT_PART_OF_A_RECIPE = (
    "init_from",
    "run",
    "resume",
    "threads",
    "loop.minutes",
    "data.index",
    "data.root",
    "data.verify",
    "data.cache",
    "data.real",
    "objective.encoder_from",
)


def trusted_range(evaluation: Evaluation) -> TrustedRange:
    """Where the figures were measured, and what they were there.

    Noise and spacing span all held-out slices. Bias and residual structure come from slices with a lowered dose alone:
    a clean slice must stay within what is usual for a noisy one.

    Raises:
        MedEnhanceError: The evaluation shows too little.
    """
    low_dose = [f for f in evaluation.slices if not is_unchanged(f.subset)]
    noise = [f.noise_sd_before_hu for f in evaluation.slices if f.noise_sd_before_hu is not None]
    spacing = [f.spacing_mm for f in evaluation.slices if f.spacing_mm is not None]
    shifts = [abs(s.from_input_hu) for f in low_dose for s in f.shifts if s.tissue != AIR.name]
    structure = _structure_of_scans(low_dose)
    if not (noise and spacing and shifts and structure):
        message = "the evaluation shows too little soft tissue or structure, or no pixel size, to state a range."
        raise MedEnhanceError("input-unsuitable", message, "Evaluate on the public images, or on more phantoms.")
    return TrustedRange(
        noise_sd_hu=(float(math.floor(min(noise))), float(math.ceil(max(noise)) + 1)),
        spacing_mm=(_down(min(spacing) * (1 - _SPACING_MARGIN), 0.01), _up(max(spacing) * (1 + _SPACING_MARGIN), 0.01)),
        max_abs_bias_hu=_up(_BIAS_MARGIN * float(np.quantile(shifts, _QUANTILE)), 0.1),
        max_residual_structure=min(1.0, _up(_STRUCTURE_MARGIN * float(np.quantile(structure, _QUANTILE)), 0.005)),
    )


def metrics(evaluation: Evaluation) -> dict[str, float]:
    """Figures by subset; each name says the measure, its unit and the window."""
    window = f"[{MAIN_WINDOW_HU[0]:g}, {MAIN_WINDOW_HU[1]:g}] HU"
    found: dict[str, float] = {}
    for before, after in zip(evaluation.input_summaries(), evaluation.summaries(), strict=True):
        values = {
            f"PSNR of the input in {window}, dB": before.psnr_db.mean,
            f"PSNR in {window}, dB": after.psnr_db.mean,
            f"SSIM of the input in {window}": before.ssim.mean,
            f"SSIM in {window}": after.ssim.mean,
            f"RMSE in {window}, HU": after.rmse_hu.mean,
            "shift of soft tissue, HU": after.soft_shift_hu,
            "residual structure index": after.residual_structure,
        }
        found |= {f"{after.subset}: {name}": round(v, 4) for name, v in values.items() if v is not None}
    return found


def limits(evaluation: Evaluation) -> tuple[str, ...]:
    """What should be known before the figures are believed."""
    places = {f.place for f in evaluation.slices}
    scans = sorted({f.case for f in evaluation.slices})
    real = len({f.place for f in evaluation.slices if f.subset in (REAL, OWN)})
    return (
        NOTICE,
        f"Measured on few slices ({len(places)}): {', '.join(scans)}. Low dose was real in {real} of them, "
        "and simulated in the others.",
        "Tested with the noise of filtered backprojection, soft and sharp kernels; not with iterative reconstruction.",
        "Works slice by slice: nothing makes neighbouring slices agree.",
        "Detail that the noise of the input hides may be lost; compare with the residual and the trust report.",
    )


def training_data(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run was trained on, from the "data" of its recorded configuration.

    Raises:
        MedEnhanceError: The index of its cases is no longer where it was.
    """
    if config.get("type") == "SpineData":
        low, high = config["stripes"]
        count = f"{config['num_subjects']} simulated subjects"
        return (f"{count}, {len(config['depths'])} projections each, structured noise x {low:g} to {high:g}",)
    if config.get("type") == "HeadData":
        simulator = config["simulator"]
        share = f"{100 * simulator['prevalence']:.0f} % of them with blood"
        told_apart = simulator.get("least_contrast_hu")  # not in runs of before it
        faintest = f", {told_apart:g} HU or more from the brain around it" if told_apart else ""
        simulated = f"{config['num_scans']} simulated head CT scans, {share}{faintest} (preset {simulator['preset']})"
        return (simulated, *_real_heads(config))
    lines = []
    if config.get("index"):
        index = load_index(Path(config["index"]))
        index = index.with_licences(config["licences"]) if config.get("licences") else index
        for source, licence in sorted({(case.source, case.licence) for case in index.cases}):
            scans = [case for case in index.cases if (case.source, case.licence) == (source, licence)]
            what = "real pairs" if all(case.is_paired for case in scans) else "lower doses simulated"
            lines.append(f"{source}: {len(scans)} scan{'' if len(scans) == 1 else 's'}, {what}, licence {licence}")
    if config.get("num_phantoms"):
        lines.append(f"{config['num_phantoms']} random phantom slices, lower doses simulated")
    return tuple(lines)


def recipe_command(record: Mapping[str, Any]) -> str:
    """The recipe of a run, and the settings that it changes, as the command line takes them; earlier stages first."""
    name, earlier = str(record["recipe"]), _stage_before(record["config"])
    first = f"{_earlier_recipe(Path(earlier))}, then " if earlier else ""
    if name not in RECIPES:
        return first + name
    usual, used = (_flat(config) for config in (to_plain(RECIPES[name]()), record["config"]))
    changed = {key: value for key, value in used.items() if usual.get(key) != value and not _is_place(key)}
    settings = (f"--{key.replace('_', '-')} {_shown(value)}" for key, value in changed.items())
    return first + " ".join([name, *settings])


def _real_heads(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a run on head CT, which may be older than real scans in training."""
    count = len(config.get("real", ()))
    if not count:
        return ()
    scans = "1 real head CT" if count == 1 else f"{count} real head CTs"
    share = f"{100 * config['simulator']['prevalence']:.0f} % of them with simulated bleeds"
    copies = f"{config['real_copies']} copies{'' if count == 1 else ' of each'}, {share}"
    return (f"{scans} without blood ({config['real_source']}): {copies}",)


def all_training_data(record: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run and the stages before it were trained on, without repetitions."""
    earlier = _stage_before(record["config"])
    before = _earlier_data(Path(earlier)) if earlier else ()
    return tuple(dict.fromkeys([*before, *training_data(record["config"].get("data", {}))]))


def _stage_before(config: Mapping[str, Any]) -> str | None:
    """Where the weights come from that a run started from, all of them or an encoder's."""
    found: str | None = config.get("init_from") or config.get("objective", {}).get("encoder_from")
    return found


def _earlier_recipe(path: Path) -> str:
    """How the start of a run came about: an earlier run, or weights that were published."""
    if path.suffix in _FOREIGN:
        return f"the weights {path.name}"
    if path.suffix != ".safetensors":
        return recipe_command(read_record(path))
    entry = entry_of(path)
    return f"{entry.recipe} (published as {entry.id} {entry.version}, commit {entry.commit[:7]})"


def _earlier_data(path: Path) -> tuple[str, ...]:
    if path.suffix in _FOREIGN:
        return (f"what the weights {path.name} were trained on",)
    return entry_of(path).training_data if path.suffix == ".safetensors" else all_training_data(read_record(path))


def read_record(run: Path) -> dict[str, Any]:
    """The `run.json` of a run, given its folder or one of its checkpoints.

    Raises:
        MedEnhanceError: There is none.
    """
    folder = run if run.is_dir() else run.parent.parent
    path = folder / "run.json"
    if not path.is_file():
        hint = "Name the folder of a training run; the runs that it began with must be where they were then."
        raise MedEnhanceError("input-missing", f"there is no {path.absolute()}.", hint)
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def card_text(entry: ModelEntry, tables: Sequence[Table], num_parameters: int) -> str:
    """The model card as Markdown, with the tables of its figures."""
    weights = entry.files[0]
    facts = {
        "Network": f"{entry.network}, {num_parameters:,} parameters, `{json.dumps(entry.config)}`",
        "Intensity": f"`{json.dumps(entry.intensity)}`",
        "Precisions": ", ".join(entry.precisions),
        "Weights": f"`{weights.name}`, {weights.size_bytes:,} bytes, sha256 `{weights.sha256}`",
        "Recipe": f"`medenhance-train fit {entry.recipe}`",
        "Commit": f"`{entry.commit}`",
        "Licence": entry.licence,
    }
    parts = [
        f"# {entry.title}\n\n`{entry.id}` {entry.version}. {NOTICE}\n\n{entry.intended_use}",
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
        "## Training data\n\n" + _bullets(entry.training_data or ("not recorded",)),
        "## Figures on held-out slices\n\n" + "\n\n".join(table.markdown().strip() for table in tables),
        *_tested(entry.trusted),
        *_calibrated(entry.calibration),
        "## Limits\n\n" + _bullets(entry.limits),
    ]
    return "\n\n".join(parts) + "\n"


def _tested(trusted: TrustedRange | None) -> list[str]:
    """The section on measured ranges of a model that has them."""
    if trusted is None:
        return []
    ranges = [
        f"noise of soft tissue in the input: {trusted.noise_sd_hu[0]:g} to {trusted.noise_sd_hu[1]:g} HU",
        f"pixels: {trusted.spacing_mm[0]:g} to {trusted.spacing_mm[1]:g} mm",
        f"shift of a tissue's mean: at most {trusted.max_abs_bias_hu:g} HU",
        f"residual structure index: at most {trusted.max_residual_structure:g}",
    ]
    return ["## Where it was tested\n\nThe trust report warns outside of:\n\n" + _bullets(ranges)]


def _calibrated(calibration: Calibration | None) -> list[str]:
    """The section on operating points of a model that has them."""
    if calibration is None:
        return []
    table = Table("Operating points", ("name", "probability from", "sensitivity", "specificity"))
    for point in calibration.operating_points:
        values = (point.threshold, point.sensitivity, point.specificity)
        table.add(point.name, *(number(value, 3) for value in values))
    table.notes += [
        f"measured on {calibration.operating_points[0].measured_on}; the first is the default",
        f"temperature {calibration.temperature:.4g}, bias {calibration.bias:.4g}; a voxel belongs to the mask from "
        f"{calibration.mask} on",
        *_volumes(calibration.volume),
    ]
    return ["## Calibration\n\n" + table.markdown().strip()]


def _volumes(spread: VolumeSpread | None) -> list[str]:
    if spread is None:
        return []
    return [
        f"in {spread.share:.0%} of the scans with blood and a mask of {spread.least_ml:g} mL or more, the true volume "
        f"was {spread.low:.2f} to {spread.high:.2f} times that of the mask"
    ]


def _structure_of_scans(figures: list[SliceFigures]) -> list[float]:
    """The index of each scan in each subset, which is what a trust report measures of a study."""
    scans: dict[tuple[str, str], list[SliceFigures]] = {}
    for f in figures:
        scans.setdefault((f.subset, f.case), []).append(f)
    found = [pooled_structure(slices) for slices in scans.values()]
    return [structure.index for structure in found if structure is not None]


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif key != "type":
            flat[prefix + key] = value
    return flat


def _is_place(key: str) -> bool:
    return key in _NOT_PART_OF_A_RECIPE


def _shown(value: Any) -> str:
    """As a shell takes it."""
    return shlex.join(map(str, value)) if isinstance(value, list) else shlex.quote(str(value))


def _bullets(lines: list[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _up(value: float, step: float) -> float:
    return round(math.ceil(value / step - 1e-9) * step, 6)


def _down(value: float, step: float) -> float:
    return round(math.floor(value / step + 1e-9) * step, 6)
