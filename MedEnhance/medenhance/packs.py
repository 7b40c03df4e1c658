"""Model packs: one file that carries models to machines without a network."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medenhance.added_models import refuse_taken_id, register
from medenhance.cache import cache_folder, file_problem, require_space, weights_path, writing_to
from medenhance.catalog import Catalog, get_model, read_catalog
from medenhance.errors import MedEnhanceError
from medenhance.files import replacing
from medenhance.manifest import ModelEntry
from medenhance.pack_archive import damaged, extract, member_name, read_index, write_archive
from medenhance.progress import Progress, Silent
from medenhance.weights import check_header, installed_path, is_installed, locate, read_header, require_golden


def export_pack(
    path: Path, ids: Sequence[str] = (), cache: Path | None = None, progress: Progress | None = None
) -> list[ModelEntry]:
    """Write a pack of the models ``ids``, or of every installed one.

    Args:
        path: A new .zip file; the same models always give the same bytes.
        ids: Models, in any order.
        cache: The cache folder; the user's own when None.
        progress: Receives the share of the bytes that is written, and may cancel.

    Returns:
        The models in the pack, by id.

    Raises:
        MedEnhanceError: A model is unknown, not installed or damaged, or the file cannot be written.
    """
    if path.exists() or path.suffix.lower() != ".zip":
        raise MedEnhanceError("output-refused", f"{path} exists or does not end in .zip.", "Name a new .zip file.")
    entries = _chosen(ids, read_catalog(cache), cache)
    for entry in entries:
        locate(entry, cache)
    files = {member_name(file): installed_path(entry, file, cache) for entry in entries for file in entry.files}
    with replacing(path) as unfinished:
        write_archive(unfinished, entries, files, progress or Silent())
    return entries


def import_pack(path: Path, cache: Path | None = None, progress: Progress | None = None) -> list[ModelEntry]:
    """Install the models of a pack; either all of them pass their checks, or nothing is installed.

    Weights that the installation's manifest names are believed by their SHA-256. A model that it does not know is
    added as `medenhance models add` does: after its golden test.

    Args:
        path: A pack.
        cache: The cache folder; the user's own when None.
        progress: Receives the share of the bytes that is read, and may cancel.

    Returns:
        The models of the pack.

    Raises:
        MedEnhanceError: Not a pack, damaged, or one of its models does not pass its checks.
    """
    if not path.is_file():
        raise MedEnhanceError("input-missing", f"there is no pack {path}.")
    cache = cache or cache_folder()
    try:
        with zipfile.ZipFile(path) as pack:
            entries = read_index(pack)
            _install(pack, entries, read_catalog(cache), cache, progress or Silent())
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise damaged(str(error)) from error
    return entries


def _chosen(ids: Sequence[str], catalog: Catalog, cache: Path | None) -> list[ModelEntry]:
    names = sorted(set(ids) or (name for name, entry in catalog.entries.items() if is_installed(entry, cache)))
    if not names:
        raise MedEnhanceError("weights-missing", "no model is installed.", "Run `medenhance models download ID` first.")
    return [get_model(name, catalog) for name in names]


def _install(
    pack: zipfile.ZipFile, entries: list[ModelEntry], catalog: Catalog, cache: Path, progress: Progress
) -> None:
    for entry in entries:
        refuse_taken_id(entry, catalog)
    files = list({member_name(file): file for entry in entries for file in entry.files}.values())
    require_space(cache, sum(file.size_bytes for file in files))
    with writing_to(cache), tempfile.TemporaryDirectory(dir=cache, prefix="incoming-") as folder:
        copies = extract(pack, files, Path(folder), progress)
        new = [entry for entry in entries if entry.id not in catalog.entries]
        for entry in new:
            copy = copies[member_name(entry.files[0])]
            check_header(read_header(copy), entry, copy)
            require_golden(copy)
        for entry in entries:
            if not (entry.id in catalog.entries and catalog.entries[entry.id].bundled):
                _place(entry, copies, cache)
        for entry in new:
            register(replace(entry, bundled=False, default=False), cache)


def _place(entry: ModelEntry, copies: dict[str, Path], cache: Path) -> None:
    for file in entry.files:
        target, copy = weights_path(file, cache), copies[member_name(file)]
        if target.is_file() and not file_problem(target, file):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        copy.replace(target)
