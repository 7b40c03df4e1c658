"""Weights files: safetensors with the network's name and configuration in the header, and a test of their own.

Tensors are the network's state dict, and "golden.input" and "golden.output": (N, 1, H, W) float32 in network units,
computed by the machine that exported the file. Running the network on one and comparing with the other shows, on any
machine and with any version of PyTorch, that the model still computes what was published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medenhance import manifest
from medenhance.cache import file_problem, sha256_of, weights_path
from medenhance.catalog import read_catalog
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry, WeightsFile, entry_from_json, entry_to_json

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "medenhance-1"
GOLDEN = ("golden.input", "golden.output")
# Convolutions sum in another order on another CPU, which changes float32 results of order 1 in the sixth or seventh
# digit, and twenty layers of them in the fifth. 1e-4 network units are 0.1 HU where one unit is 1000 HU.
GOLDEN_TOLERANCE = 1e-4
_FOREIGN = "Only safetensors files written by `medenhance-train export` can be used."


@dataclass(frozen=True)
class Header:
    """What the header of a weights file says.

    Attributes:
        network: Name in `medenhance.networks.NETWORKS`.
        config: The network's configuration.
        entry: JSON object of the manifest entry, without "files".
    """

    network: str
    config: dict[str, Any]
    entry: dict[str, Any]


def known_models(cache: Path | None = None) -> dict[str, ModelEntry]:
    """The models of the installation, then those that the user added, by id."""
    return read_catalog(cache).entries


def locate(entry: ModelEntry, cache: Path | None = None) -> Path:
    """The verified weights file of an installed model; the first one when there are several.

    Raises:
        MedEnhanceError: "weights-missing" when it has to be downloaded first, "model-invalid" when it is damaged.
    """
    paths = [_located(entry, file, cache) for file in entry.files]
    return paths[0]


def installed_path(entry: ModelEntry, file: WeightsFile, cache: Path | None = None) -> Path:
    """Where a file of the model is, or would be."""
    return manifest.RESOURCES / file.name if entry.bundled else weights_path(file, cache)


def is_installed(entry: ModelEntry, cache: Path | None = None) -> bool:
    """Whether all files of the model are in their places; says nothing about their contents."""
    return all(installed_path(entry, file, cache).is_file() for file in entry.files)


def place(entry: ModelEntry, cache: Path | None = None) -> Literal["bundled", "cached", "available"]:
    """Where a model is: part of the installation, in the cache, or only to be had."""
    if entry.bundled:
        return "bundled"
    return "cached" if is_installed(entry, cache) else "available"


def verify(entry: ModelEntry, cache: Path | None = None) -> float:
    """Check everything of an installed model: hash, header, tensors and the golden test.

    Returns:
        The largest difference of the golden test, network units.

    Raises:
        MedEnhanceError: The first check that does not pass.
    """
    from medenhance.intensity import intensity_map

    path = locate(entry, cache)
    check_header(read_header(path), entry, path)
    intensity_map(entry.intensity)
    return require_golden(path)


def read_header(path: Path) -> Header:
    """The checked header of a weights file; imports no torch.

    Raises:
        MedEnhanceError: Not a safetensors file, truncated, or not in this project's format.
    """
    metadata = _metadata(path)
    if metadata.get("format") != FORMAT:
        message = f"{path.name} has the format {metadata.get('format')!r} instead of {FORMAT!r}."
        raise MedEnhanceError("model-invalid", message, _FOREIGN)
    config, entry = _json_object(metadata, "config", path), _json_object(metadata, "entry", path)
    return Header(metadata.get("network", ""), config, entry)


def entry_of(path: Path) -> ModelEntry:
    """The manifest entry that a weights file carries, completed with the file's hash and size, named by the id."""
    header = read_header(path)
    name = f"{header.entry.get('id')}.safetensors"
    file = {"name": name, "urls": [], "sha256": sha256_of(path), "size_bytes": path.stat().st_size}
    entry = entry_from_json({**header.entry, "files": [file]}, f"{path.name}: entry")
    check_header(header, entry, path)
    return entry


def check_header(header: Header, entry: ModelEntry, path: Path) -> None:
    """Refuse a file whose header is at odds with its manifest entry in anything that changes results."""
    if (header.network, header.config) != (entry.network, entry.config):
        message = f"{path.name} holds the network {header.network!r} {header.config}"
        raise MedEnhanceError("model-invalid", f"{message}, its entry says {entry.network!r} {entry.config}.")
    wanted = entry_to_json(entry)
    for key in ("id", "version", "task", "intensity"):
        if header.entry.get(key) != wanted[key]:
            message = f"{path.name} says {key} {header.entry.get(key)!r}, its entry {wanted[key]!r}."
            raise MedEnhanceError("model-invalid", message)


def load_state(path: Path, entry: ModelEntry | None = None) -> dict[str, Tensor]:
    """The network's state dict from a weights file.

    Args:
        path: The file.
        entry: The manifest entry that its header has to agree with.
    """
    header = read_header(path)
    if entry is not None:
        check_header(header, entry, path)
    return {name: tensor for name, tensor in _tensors(path).items() if name not in GOLDEN}


def self_test(path: Path) -> float:
    """Run the network of a weights file on its golden input (float32, CPU).

    Returns:
        Largest absolute difference from the golden output, network units; `GOLDEN_TOLERANCE` is what may be expected.

    Raises:
        MedEnhanceError: The weights do not fit the network, or there are no golden tensors.
    """
    import torch

    from medenhance import networks

    header, tensors = read_header(path), _tensors(path)
    missing = [name for name in GOLDEN if name not in tensors]
    if missing:
        raise MedEnhanceError("model-invalid", f"{path.name} has no tensor {missing[0]!r}.", _FOREIGN)
    x, expected = (tensors.pop(name) for name in GOLDEN)
    network = networks.build(header.network, header.config).eval()
    try:
        network.load_state_dict(tensors)
        with torch.inference_mode():
            difference = (networks.spec(header.network).on_stack(network, x) - expected).abs().max()
    except RuntimeError as error:
        raise MedEnhanceError("model-invalid", f"the weights in {path.name} do not fit: {error}") from error
    return float(difference)


def require_golden(path: Path) -> float:
    """`self_test`, and an error when the difference is above the tolerance."""
    difference = self_test(path)
    if not difference <= GOLDEN_TOLERANCE:  # a NaN is not below it either
        message = f"{path.name} does not compute what was published: golden test {difference:.2g}"
        hint = "Run `medenhance doctor`; this PyTorch or this CPU may compute wrongly, or the file was altered."
        raise MedEnhanceError("model-invalid", f"{message}, accepted {GOLDEN_TOLERANCE:.0e}.", hint)
    return difference


def save(
    path: Path, entry: ModelEntry, state: Mapping[str, Tensor], golden_input: Tensor, golden_output: Tensor
) -> ModelEntry:
    """Write a weights file, the same bytes for the same contents.

    Args:
        path: A new .safetensors file.
        entry: What the header states; its `files` are replaced.
        state: The network's state dict.
        golden_input, golden_output: (N, 1, H, W) float32, network units.

    Returns:
        ``entry`` with the written file as its `files`, which keep the urls of a file of the same name.
    """
    import torch
    from safetensors.torch import save as serialized

    header = entry_to_json(entry)
    del header["files"]
    metadata = {"format": FORMAT, "network": entry.network, "config": _json(entry.config), "entry": _json(header)}
    tensors = {**state, GOLDEN[0]: golden_input, GOLDEN[1]: golden_output}
    # Copies, because the format knows no tensors that share memory.
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    path.write_bytes(_with_sorted_header(serialized(copies, metadata)))
    urls = next((file.urls for file in entry.files if file.name == path.name), ())
    return replace(entry, files=(WeightsFile(path.name, urls, sha256_of(path), path.stat().st_size),))


def _located(entry: ModelEntry, file: WeightsFile, cache: Path | None) -> Path:
    path = installed_path(entry, file, cache)
    if not path.is_file():
        if entry.bundled:
            raise MedEnhanceError("model-invalid", f"{path} is missing.", "Install MedEnhance again.")
        hint = f"Get it by `medenhance models download {entry.id}`, or bring it by `medenhance models import-pack`."
        raise MedEnhanceError("weights-missing", f"the weights of {entry.id} are not installed.", hint)
    if problem := file_problem(path, file):
        again = f"Download it again: `medenhance models download {entry.id}`."
        hint = "Install MedEnhance again." if entry.bundled else again
        raise MedEnhanceError("model-invalid", f"{path} is damaged: {problem}.", hint)
    return path


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise MedEnhanceError("model-invalid", f"{path} is no readable safetensors file: {error}.", _FOREIGN) from error


def _tensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise MedEnhanceError("model-invalid", f"{path} is no readable safetensors file: {error}.", _FOREIGN) from error
    return tensors


def _json_object(metadata: dict[str, str], key: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(metadata.get(key, ""))
    except ValueError as error:
        raise MedEnhanceError("model-invalid", f"{path.name}: {key!r} in its header is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise MedEnhanceError("model-invalid", f"{path.name}: {key!r} in its header is not a JSON object.")
    return value


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _with_sorted_header(data: bytes) -> bytes:
    """The same safetensors file with its metadata sorted; the library orders them differently in every process."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]
