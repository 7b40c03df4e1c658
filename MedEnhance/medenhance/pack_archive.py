"""The zip layer of model packs: the same models give the same bytes, and a foreign archive can do no harm.

A pack holds ``pack.json`` (its models' manifest entries), ``SHA256SUMS`` (for `sha256sum --check`) and
``weights/<first digits of the SHA-256>/<name>``, all without compression.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from medenhance.cache import file_problem
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry, WeightsFile, entry_from_json, entry_to_json
from medenhance.progress import Progress, checkpoint
from medenhance.strict_json import from_json

FORMAT = "medenhance-pack-1"
LARGEST_INDEX_BYTES = 4 << 20
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the zip format knows no earlier time
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Index:
    """Contents of ``pack.json``."""

    format: str
    models: tuple[Any, ...]


def member_name(file: WeightsFile) -> str:
    """Name of a weights file inside a pack."""
    return f"weights/{file.sha256[:16]}/{file.name}"


def write_archive(path: Path, entries: Sequence[ModelEntry], files: dict[str, Path], progress: Progress) -> None:
    """Write a pack to ``path``.

    Args:
        path: A new file.
        entries: The models, in order.
        files: Member name -> weights file.
        progress: Receives the share of the bytes that is written, and may cancel.
    """
    index = {"format": FORMAT, "models": [entry_to_json(entry) for entry in entries]}
    sums = sorted({f"{file.sha256}  {member_name(file)}\n" for entry in entries for file in entry.files})
    total, done = sum(file.stat().st_size for file in files.values()), 0
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr(_member("pack.json"), json.dumps(index, indent=2, ensure_ascii=False) + "\n")
        pack.writestr(_member("SHA256SUMS"), "".join(sums))
        for name, file in sorted(files.items()):
            info = _member(name)
            info.file_size = file.stat().st_size
            with file.open("rb") as source, pack.open(info, "w") as target:
                while block := source.read(_BLOCK_BYTES):
                    target.write(block)
                    done += len(block)
                    checkpoint(progress, "export", done / total)


def read_index(pack: zipfile.ZipFile) -> list[ModelEntry]:
    """The models that a pack states, after a check that it holds their files and nothing else.

    No name of the archive is ever used as a path, so none can lead out of the cache.

    Raises:
        MedEnhanceError: The archive is not a pack.
    """
    for info in pack.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise damaged(f"{info.filename} is compressed or encrypted")
    try:
        index = from_json(_Index, json.loads(_small_member(pack, "pack.json")), "pack.json")
    except ValueError as error:
        raise damaged(str(error)) from error
    if index.format != FORMAT:
        raise damaged(f"its format is {index.format!r} instead of {FORMAT!r}")
    entries = [entry_from_json(value, f"pack.json: models[{i}]") for i, value in enumerate(index.models)]
    if len({entry.id for entry in entries}) < len(entries):
        raise damaged("an id occurs twice")
    stated = {"pack.json", "SHA256SUMS", *(member_name(file) for entry in entries for file in entry.files)}
    found = [info.filename for info in pack.infolist()]
    if sorted(found) != sorted(stated):
        strange = sorted(stated ^ set(found)) or sorted(found)
        raise damaged(f"it does not hold exactly the files that it states: {', '.join(strange[:3])}")
    for file in (file for entry in entries for file in entry.files):
        size = pack.getinfo(member_name(file)).file_size
        if size != file.size_bytes:
            raise damaged(f"{file.name} has {size} bytes instead of {file.size_bytes}")
    return entries


def extract(pack: zipfile.ZipFile, files: Sequence[WeightsFile], folder: Path, progress: Progress) -> dict[str, Path]:
    """Copy weights files out of a pack and check their SHA-256.

    Args:
        pack: An archive that passed `read_index`.
        files: What to copy.
        folder: An empty folder.
        progress: Receives the share of the bytes that is read, and may cancel.

    Returns:
        Member name -> copy.
    """
    total, done = sum(file.size_bytes for file in files), 0
    copies = {}
    for number, file in enumerate(files):
        copy = folder / str(number) / file.name
        copy.parent.mkdir()
        with pack.open(member_name(file)) as source, copy.open("wb") as target:
            _copy(source, target, file.size_bytes)
        if problem := file_problem(copy, file):
            raise damaged(f"{file.name}: {problem}")
        copies[member_name(file)] = copy
        done += file.size_bytes
        checkpoint(progress, "import", done / total)
    return copies


def damaged(reason: str) -> MedEnhanceError:
    """The error for an archive that is no intact pack."""
    hint = "Copy it again; only files made by `medenhance models export-pack` can be imported. Nothing was installed."
    return MedEnhanceError("model-invalid", f"the pack is damaged: {reason}.", hint)


def _member(name: str) -> zipfile.ZipInfo:
    """A member without anything of this machine or this moment."""
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _small_member(pack: zipfile.ZipFile, name: str) -> bytes:
    try:
        stream = pack.open(name)
    except KeyError as error:
        raise damaged(f"it has no {name}") from error
    with stream:
        data = stream.read(LARGEST_INDEX_BYTES + 1)
    if len(data) > LARGEST_INDEX_BYTES:
        raise damaged(f"its {name} is larger than {LARGEST_INDEX_BYTES} bytes")
    return data


def _copy(source: IO[bytes], target: IO[bytes], size_bytes: int) -> None:
    """Copy no more than the stated size, whatever the archive holds."""
    left = size_bytes
    while left and (block := source.read(min(left, _BLOCK_BYTES))):
        target.write(block)
        left -= len(block)
