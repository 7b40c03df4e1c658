"""From a training run to a weights file, a manifest entry and a model card.

The entry states only what was measured: its figures come from an evaluation of these very weights, its precisions from
running them. The file carries a test of itself (golden tensors) and is checked by it before anything gets its name.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medenhance import networks
from medenhance.errors import MedEnhanceError
from medenhance.files import output_error, replacing, write_json
from medenhance.intensity import intensity_map
from medenhance.manifest import RESOURCES, ModelEntry, Precision, add_entry, entry_from_json, entry_to_json
from medenhance.predict import Predictor
from medenhance.weights import require_golden, save
from medenhance_training.checkpoint import load_published
from medenhance_training.head_export import golden_scan, input_limits, sample_scan, scan_precisions
from medenhance_training.methods import task_of, trial_entry, weights_digest
from medenhance_training.model_card import (
    all_training_data,
    card_text,
    read_record,
    recipe_command,
)
from medenhance_training.objectives.objective import PublishedNetwork
from medenhance_training.statement import AnyEvaluation, Statement, sample_image, statement

# How far a short floating-point format may be from float32 to be allowed, root mean square over a slice.
PRECISION_TOLERANCE_HU = 0.5
# ... and the share of pixels that it has to give the same label.
LABELS_TOLERANCE = 0.998
SUFFIXES = (".safetensors", ".md", ".json")
_GOLDEN_SIDE_PX = 64
_MB = 1_000_000


@dataclass(frozen=True)
class Labels:
    """What a person decides about a model.

    Attributes:
        id: Identifier in the manifest.
        version: Its version.
        title: One line for a list of models.
        intended_use: One sentence.
        licence: Of the weights.
        urls: Where the weights file can be fetched; none when it is bundled.
        bundled: The weights are part of the installation.
        default: The model that its task takes when none is named.
    """

    id: str
    version: str
    title: str
    intended_use: str
    licence: str
    urls: tuple[str, ...] = ()
    bundled: bool = False
    default: bool = False


@dataclass(frozen=True)
class Exported:
    """The files of an exported model and its manifest entry."""

    entry: ModelEntry
    weights: Path
    card: Path
    manifest_entry: Path


def export(
    run: Path, labels: Labels, evaluation: AnyEvaluation, output: Path, max_bytes: int | None = None
) -> Exported:
    """Write the averaged network of a run with all that is known of it.

    Args:
        run: Folder of the run, or one of its checkpoints.
        labels: What a person decides.
        evaluation: Of these weights.
        output: Folder to write to; it may exist, but not hold a model of this id.
        max_bytes: Largest accepted weights file.

    Raises:
        MedEnhanceError: The evaluation is of other weights, the file is too large or fails its test, or something is in
            the way. Then nothing was written.
    """
    published, network = load_published(run)
    _check_same_weights(network, evaluation)
    stated, (precisions, golden) = statement(evaluation), _tried(published, network)
    entry = replace(described(published, labels, stated, read_record(run)), precisions=precisions)
    with _staged(output, labels.id) as folder:
        weights = folder / f"{labels.id}.safetensors"
        entry = save(weights, entry, network.state_dict(), *golden)
        entry = _with_urls(entry, labels.urls)
        _check_size(weights, max_bytes)
        require_golden(weights)
        entry_from_json(entry_to_json(entry))
        num_parameters = sum(p.numel() for p in network.parameters())
        (folder / f"{labels.id}.md").write_text(card_text(entry, stated.tables, num_parameters), encoding="utf-8")
        write_json(folder / f"{labels.id}.json", entry_to_json(entry))
    return Exported(entry, *(output / f"{labels.id}{suffix}" for suffix in SUFFIXES))


def bundle(exported: Exported, resources: Path = RESOURCES) -> None:
    """Make an exported model part of the installation: weights and card first, then the manifest that names them.

    Raises:
        MedEnhanceError: The manifest would not be valid; it stays as it is.
    """
    manifest = resources / "models.json"
    text = add_entry(manifest, exported.entry)
    for path in (exported.weights, exported.card):
        with replacing(resources / path.name) as temporary:
            shutil.copyfile(path, temporary)
    with replacing(manifest) as temporary:
        temporary.write_text(text, encoding="utf-8")


def described(published: PublishedNetwork, labels: Labels, stated: Statement, record: Mapping[str, Any]) -> ModelEntry:
    """The manifest entry, without files, from what its evaluation allows and the `run.json` of a run."""
    return replace(
        trial_entry(published),
        id=labels.id,
        version=labels.version,
        title=labels.title,
        trusted=stated.trusted,
        bundled=labels.bundled,
        default=labels.default,
        licence=labels.licence,
        intended_use=labels.intended_use,
        limits=(*stated.limits, *input_limits(published)),
        training_data=all_training_data(record),
        metrics=stated.metrics,
        recipe=recipe_command(record),
        commit=record["sessions"][-1]["commit"],
        calibration=stated.calibration,
    )


def _tried(published: PublishedNetwork, network: nn.Module) -> tuple[tuple[Precision, ...], tuple[Tensor, Tensor]]:
    """Formats in which the network may run, and the test of its weights, both on what no training has seen."""
    task, entry = task_of(published), trial_entry(published)
    if task == "detect-hemorrhage":
        scan = sample_scan()
        return scan_precisions(entry, network, scan), golden_scan(published, network, scan)
    low = sample_image(task)
    return measured_precisions(entry, network, low), golden_tensors(published, network, low)


def golden_tensors(published: PublishedNetwork, network: nn.Module, low: np.ndarray) -> tuple[Tensor, Tensor]:
    """The middle of a noisy slice and what the network makes of it.

    Args:
        published: Description of the network.
        network: With its weights.
        low: (H, W) float32, HU or grey.

    Returns:
        Input, (1, 1, S, S), and output, (1, 1 + classes, S, S), float32, network units.
    """
    spec, config = networks.spec(published.network), networks.parse_config(published.network, published.config)
    multiple = spec.size_multiple(config)
    side = -(-max(_GOLDEN_SIDE_PX, spec.size_minimum(config)) // multiple) * multiple
    row, column = ((n - side) // 2 for n in low.shape)
    hu = torch.from_numpy(low[row : row + side, column : column + side])
    x = intensity_map(published.intensity).forward(hu)[None, None].contiguous()
    with torch.inference_mode():
        return x, network.float().cpu()(x)


def measured_precisions(entry: ModelEntry, network: nn.Module, low: np.ndarray) -> tuple[Precision, ...]:
    """The floating-point formats whose result on a noisy slice, (H, W), is near that of float32, on the CPU."""
    exact, exact_labels = _run(entry, network, "fp32", low)
    near: list[Precision] = ["fp32"]
    short: tuple[Precision, ...] = ("bf16", "fp16")
    for precision in short:
        image, labels = _run(entry, network, precision, low)
        same = labels is None or float((labels == exact_labels).mean()) >= LABELS_TOLERANCE
        if same and _rms(image - exact) <= PRECISION_TOLERANCE_HU:
            near.append(precision)
    return tuple(near)


def _run(
    entry: ModelEntry, network: nn.Module, precision: Precision, low: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """The restored slice, and its labels where the network segments."""
    predictor = Predictor(entry, copy.deepcopy(network), precision=precision)
    if not networks.spec(entry.network).classes(networks.parse_config(entry.network, entry.config)):
        return predictor.restore(low[None])[0], None
    image, probabilities = predictor.restore_and_classify(low)
    return image, probabilities.argmax(axis=0)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _check_same_weights(network: nn.Module, evaluation: AnyEvaluation) -> None:
    if weights_digest(network.state_dict()) != evaluation.weights_digest:
        message = f"the evaluation ({evaluation.title}) is not of the weights of this run."
        raise MedEnhanceError("input-unsuitable", message, "Evaluate the run again with `medenhance-train evaluate`.")


def _check_size(weights: Path, max_bytes: int | None) -> None:
    size = weights.stat().st_size
    if max_bytes is not None and size > max_bytes:
        message = f"the weights take {size / _MB:.2f} MB, and {max_bytes / _MB:.2f} MB are allowed."
        raise MedEnhanceError("input-unsuitable", message, "Train a smaller configuration, or raise --max-mb.")


@contextmanager
def _staged(output: Path, model_id: str) -> Iterator[Path]:
    """A temporary folder whose files move to `output` when all of them are there."""
    in_the_way = [output / f"{model_id}{suffix}" for suffix in SUFFIXES if (output / f"{model_id}{suffix}").exists()]
    if in_the_way:
        raise MedEnhanceError("output-refused", f"{in_the_way[0]} exists.", "Choose another folder or id.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as staging:
            yield Path(staging)
            output.mkdir(exist_ok=True)
            for path in sorted(Path(staging).iterdir()):
                path.replace(output / path.name)
    except OSError as error:
        raise output_error(output, error) from error


def _with_urls(entry: ModelEntry, urls: tuple[str, ...]) -> ModelEntry:
    return replace(entry, files=tuple(replace(file, urls=urls) for file in entry.files))
