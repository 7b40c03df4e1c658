"""What has to hold within a manifest entry, and between entries, beyond the types of their keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from medenhance.head_ct.calibration import calibration_problems

if TYPE_CHECKING:
    from medenhance.manifest import ModelEntry

Problem = tuple[str, str]

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https?://[^\s/]+\S*")


def conflicts(entries: Sequence[ModelEntry]) -> Iterator[Problem]:
    """What is wrong between entries, as (path, problem): an id used twice, a task without its one default."""
    for name, count in Counter(entry.id for entry in entries).items():
        if count > 1:
            yield "models", f"the id {name!r} is used {count} times"
    for task in dict.fromkeys(entry.task for entry in entries):
        defaults = [entry.id for entry in entries if entry.task == task and entry.default]
        if len(defaults) != 1:
            yield "models", f"the task {task!r} needs exactly one default, not {len(defaults)} {defaults}"


def problems(entry: ModelEntry) -> Iterator[Problem]:
    """What is wrong within an entry, as (path of the key, problem)."""
    if not _ID.fullmatch(entry.id):
        yield "id", f"lower-case letters, digits, '.', '-' and '_' were expected, not {entry.id!r}"
    for key in ("version", "title", "network", "licence", "intended_use", "recipe", "commit"):
        if not getattr(entry, key).strip():
            yield key, "a text was expected, not an empty string"
    if "fp32" not in entry.precisions or len(set(entry.precisions)) < len(entry.precisions):
        yield "precisions", f"'fp32' and no repetition were expected, not {list(entry.precisions)}"
    if entry.accepted.channels < 1:
        yield "accepted.channels", f"at least 1 was expected, not {entry.accepted.channels}"
    yield from _range_problems(entry)
    yield from _calibration_problems(entry)
    yield from _tiling_problems(entry)
    yield from _file_problems(entry)


def _range_problems(entry: ModelEntry) -> Iterator[Problem]:
    accepted, trusted = entry.accepted, entry.trusted
    at_least_zero = {
        "accepted.spacing_mm": accepted.spacing_mm,
        "accepted.slice_spacing_mm": accepted.slice_spacing_mm,
    }
    if trusted is not None:
        at_least_zero |= {"trusted.noise_sd_hu": trusted.noise_sd_hu, "trusted.spacing_mm": trusted.spacing_mm}
    for key, (lo, hi) in {**at_least_zero, "accepted.value_range": accepted.value_range}.items():
        if not lo < hi or (lo < 0 and key in at_least_zero):
            yield key, f"a lower value below an upper one was expected, not [{lo}, {hi}]"
    if (trusted is None) != (entry.task != "denoise-ct"):
        yield "trusted", f"measured ranges belong to models for denoise-ct, this one is for {entry.task}"
    if trusted is None:
        return
    if trusted.max_abs_bias_hu <= 0:
        yield "trusted.max_abs_bias_hu", f"a positive number was expected, not {trusted.max_abs_bias_hu}"
    if not 0 < trusted.max_residual_structure <= 1:
        yield "trusted.max_residual_structure", f"above 0, up to 1 was expected, not {trusted.max_residual_structure}"


def _calibration_problems(entry: ModelEntry) -> Iterator[Problem]:
    if (entry.calibration is None) != (entry.task != "detect-hemorrhage"):
        yield "calibration", f"it belongs to models for detect-hemorrhage and to all of them, this is for {entry.task}"
    if entry.calibration is not None:
        yield from ((f"calibration.{key}", problem) for key, problem in calibration_problems(entry.calibration))


def _tiling_problems(entry: ModelEntry) -> Iterator[Problem]:
    tile, overlap = entry.tiling.tile, entry.tiling.overlap
    if entry.size_multiple < 1:
        yield "size_multiple", f"at least 1 was expected, not {entry.size_multiple}"
    elif tile is not None and (tile < 1 or tile % entry.size_multiple):
        yield "tiling.tile", f"a multiple of size_multiple {entry.size_multiple} was expected, not {tile}"
    if overlap < 0 or (tile is not None and overlap >= tile):
        yield "tiling.overlap", f"at least 0 and less than the tile was expected, not {overlap}"


def _file_problems(entry: ModelEntry) -> Iterator[Problem]:
    names = [file.name for file in entry.files]
    if not names or len(set(names)) < len(names):
        yield "files", f"at least one file and no name twice were expected, not {names}"
    for i, file in enumerate(entry.files):
        # Only plain names: a name is joined to the cache folder, so "../x" or "C:x" would leave it.
        if not _FILE_NAME.fullmatch(file.name):
            yield f"files[{i}].name", f"a plain name ending in .safetensors was expected, not {file.name!r}"
        if not _SHA256.fullmatch(file.sha256):
            yield f"files[{i}].sha256", f"64 lower-case hexadecimal digits were expected, not {file.sha256!r}"
        if file.size_bytes < 1:
            yield f"files[{i}].size_bytes", f"at least 1 was expected, not {file.size_bytes}"
        for j, url in enumerate(file.urls):
            if not _URL.fullmatch(url):
                yield f"files[{i}].urls[{j}]", f"an http or https address was expected, not {url!r}"
