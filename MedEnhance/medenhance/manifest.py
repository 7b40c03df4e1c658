"""Which models exist, and what is known of each: the manifest of design section 6, checked to the last key.

Nothing here imports torch. That an entry's network configuration fits its network is checked in `medenhance.weights`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration
from medenhance.manifest_checks import conflicts, problems
from medenhance.strict_json import SchemaError, from_json, to_json

SCHEMA = 1
RESOURCES = Path(__file__).parent / "resources"

# Licences that ask for no more than attribution; for any other, a user has to agree to its terms.
PERMISSIVE = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0")

Precision = Literal["fp32", "bf16", "fp16"]
Task = Literal["denoise-ct", "enhance-spine", "detect-hemorrhage"]
Range = tuple[float, float]


@dataclass(frozen=True)
class AcceptedInput:
    """What a model can be run on at all; anything else is refused.

    Attributes:
        modality: DICOM modality.
        channels: Number of channels of a slice.
        spacing_mm: Lowest and highest in-plane distance of voxels.
        slice_spacing_mm: Lowest and highest distance of slices.
        value_range: Lowest and highest voxel value, HU for CT, grey for ultrasound.
    """

    modality: str
    channels: int
    spacing_mm: Range
    slice_spacing_mm: Range
    value_range: Range


@dataclass(frozen=True)
class TrustedRange:
    """Where a model's figures were measured; outside it the report warns.

    Attributes:
        noise_sd_hu: Lowest and highest noise SD of soft tissue in the input, HU.
        spacing_mm: Lowest and highest in-plane distance of voxels.
        max_abs_bias_hu: Largest expected shift of a tissue's mean, HU.
        max_residual_structure: Largest expected structure index of what was removed, 0 to 1.
    """

    noise_sd_hu: Range
    spacing_mm: Range
    max_abs_bias_hu: float
    max_residual_structure: float


@dataclass(frozen=True)
class Tiling:
    """How a slice is cut: tile edge in pixels (None: never cut) and overlap of neighbouring tiles in pixels."""

    tile: int | None
    overlap: int


@dataclass(frozen=True)
class WeightsFile:
    """A weights file: its name without folders, where it can be fetched, its SHA-256 (hexadecimal) and its bytes."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ModelEntry:
    """A model: network, weights, what it takes and what may be expected of it.

    Attributes:
        config: The network's configuration, a JSON object whose type the network defines.
        intensity: The map between physical and network units, parsed by `medenhance.intensity`.
        trusted: Of a CT model; None for other tasks, whose figures stand in `metrics`.
        precisions: Floating-point formats whose result stays within the model's tolerance.
        size_multiple: Rows and columns given to the network are multiples of this.
        sampler: Settings of a sampler, or None for a network that is run once.
        bundled: The weights are part of the installation.
        default: The model taken for its task when none is named.
        metrics: Figures of the model card; the name carries the unit.
        recipe: The training recipe, and with `commit` all that is needed to train it again.
        calibration: Of a model for haemorrhage, whose logit becomes a probability and a verdict by it; None for others.
    """

    id: str
    version: str
    title: str
    task: Task
    network: str
    config: dict[str, Any]
    intensity: dict[str, Any]
    precisions: tuple[Precision, ...]
    accepted: AcceptedInput
    trusted: TrustedRange | None
    tiling: Tiling
    size_multiple: int
    sampler: dict[str, Any] | None
    files: tuple[WeightsFile, ...]
    bundled: bool
    default: bool
    licence: str
    intended_use: str
    limits: tuple[str, ...]
    training_data: tuple[str, ...]
    metrics: dict[str, float]
    recipe: str
    commit: str
    calibration: Calibration | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all weights files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def measured_range(self) -> TrustedRange:
        """`trusted` of a model that has one, as every CT model does: the checks of a manifest see to it."""
        assert self.trusted is not None
        return self.trusted

    @property
    def permissive(self) -> bool:
        """Whether the licence asks for no more than attribution."""
        return self.licence in PERMISSIVE


def load_manifest(path: Path | None = None) -> dict[str, ModelEntry]:
    """Models by id, in the order of the file.

    Args:
        path: A manifest file; the one that is part of the installation when None.

    Raises:
        MedEnhanceError: The file is not a manifest, or an entry does not pass its checks; the key is named.
    """
    path = path or RESOURCES / "models.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MedEnhanceError("model-invalid", f"The manifest {path} cannot be read: {error}.") from error
    return parse_manifest(text, str(path))


def parse_manifest(text: str, source: str = "manifest") -> dict[str, ModelEntry]:
    """Models by id from the JSON text of a manifest; ``source`` names it in messages."""
    try:
        entries = _parse(text)
    except SchemaError as error:
        raise MedEnhanceError("model-invalid", f"{source}: {error}.") from error
    return {entry.id: entry for entry in entries}


def entry_from_json(value: Any, path: str = "entry") -> ModelEntry:
    """A checked entry; ``path`` names it in messages.

    Raises:
        MedEnhanceError: A key is unknown, missing, of another type or out of range; it is named.
    """
    try:
        return _entry(value, path)
    except SchemaError as error:
        raise MedEnhanceError("model-invalid", f"{error}.") from error


def entry_to_json(entry: ModelEntry) -> dict[str, Any]:
    """The JSON object of an entry; without `calibration` where the entry has none."""
    value: dict[str, Any] = to_json(entry)
    if entry.calibration is None:
        del value["calibration"]
    return value


def manifest_text(entries: list[ModelEntry]) -> str:
    """The text of a manifest: two-space indent, keys in the order of `ModelEntry`, newline at the end."""
    value = {"schema": SCHEMA, "models": [entry_to_json(entry) for entry in entries]}
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def add_entry(path: Path, entry: ModelEntry) -> str:
    """The text of the manifest at ``path`` with ``entry`` added; nothing is written.

    An entry with the same id is replaced in its place. A new default takes that role from the task's old one.
    """
    entries = load_manifest(path)
    if entry.default:
        entries = {name: _without_default(old, entry.task) for name, old in entries.items()}
    entries[entry.id] = entry
    text = manifest_text(list(entries.values()))
    parse_manifest(text, str(path))
    return text


def _without_default(entry: ModelEntry, task: str) -> ModelEntry:
    return replace(entry, default=False) if entry.task == task else entry


def _parse(text: str) -> list[ModelEntry]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SchemaError("manifest", f"not JSON ({error})") from error
    document = from_json(_Document, value, "manifest")
    if document.schema != SCHEMA:
        raise SchemaError("schema", f"version {SCHEMA} was expected, not {document.schema}; update MedEnhance")
    entries = [_entry(item, f"models[{i}]") for i, item in enumerate(document.models)]
    for path, problem in conflicts(entries):
        raise SchemaError(path, problem)
    return entries


def _entry(value: Any, path: str) -> ModelEntry:
    entry = from_json(ModelEntry, value, path)
    for key, problem in problems(entry):
        raise SchemaError(f"{path}.{key}", problem)
    return entry


@dataclass(frozen=True)
class _Document:
    schema: int
    models: tuple[Any, ...]
