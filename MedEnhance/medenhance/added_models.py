"""Models that a user adds to the cache from files of their own, and deleting models from it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from medenhance.cache import cache_folder, entry_path, weights_path, writing_to
from medenhance.catalog import Catalog, get_model, read_catalog
from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.manifest import ModelEntry, entry_to_json
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.weights import entry_of, require_golden


def add_model(source: Path, cache: Path | None = None, progress: Progress | None = None) -> ModelEntry:
    """Add the model that a weights file describes in its header, after its checks and its golden test.

    Args:
        source: The weights file.
        cache: The cache folder; the user's own when None.
        progress: Is told of the steps, and may cancel.

    Raises:
        MedEnhanceError: The file does not pass, or its id is taken.
    """
    if not source.is_file():
        raise MedEnhanceError("input-missing", f"there is no file {source}.")
    progress = progress or Silent()
    cache, catalog = cache or cache_folder(), read_catalog(cache)
    with writing_to(cache), tempfile.TemporaryDirectory(dir=cache, prefix="incoming-") as folder:
        # Checks run on the copy: what is checked is then what is used, whatever happens to the original meanwhile.
        copy = Path(folder) / source.name
        shutil.copyfile(source, copy)
        entry = replace(entry_of(copy), bundled=False, default=False)
        refuse_taken_id(entry, catalog)
        checkpoint(progress, "verify", 0.5)
        require_golden(copy)
        checkpoint(progress, "verify", 1.0)
        known = catalog.entries.get(entry.id, entry)
        if not known.bundled:
            target = weights_path(known.files[0], cache)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(target)
        if entry.id not in catalog.entries:
            register(entry, cache)  # last: an entry never lacks its file
    return known


def refuse_taken_id(entry: ModelEntry, catalog: Catalog) -> None:
    """Raise unless ``entry.id`` is free, or already means exactly these weights."""
    known = catalog.entries.get(entry.id)
    if known is None or {file.sha256 for file in known.files} == {file.sha256 for file in entry.files}:
        return
    if entry.id in catalog.added:
        hint = f"`medenhance models delete {entry.id}` removes it."
    else:
        hint = "A model that comes with MedEnhance cannot be replaced; update MedEnhance for another version of it."
    message = f"the id {entry.id} already means version {known.version} with other weights (new: {entry.version})."
    raise MedEnhanceError("model-invalid", message, hint)


def register(entry: ModelEntry, cache: Path) -> None:
    """Write the entry of an added model."""
    write_json(entry_path(entry.id, cache), entry_to_json(entry))


def delete_model(model_id: str, cache: Path | None = None) -> int:
    """Delete a model's files from the cache, and forget it if the user added it.

    Returns:
        The bytes that became free.

    Raises:
        MedEnhanceError: No such model, part of the installation, or nothing of it in the cache.
    """
    catalog = read_catalog(cache)
    entry = get_model(model_id, catalog)
    if entry.bundled:
        raise MedEnhanceError("bad-option", f"the model {model_id} is part of MedEnhance and cannot be deleted.")
    shared = {file.sha256 for other in catalog.entries.values() if other.id != model_id for file in other.files}
    parents = [weights_path(file, cache).parent for file in entry.files if file.sha256 not in shared]
    folders = [parent for parent in parents if parent.is_dir()]
    freed = sum(path.stat().st_size for folder in folders for path in folder.glob("*"))
    if not freed and model_id not in catalog.added:
        raise MedEnhanceError("weights-missing", f"nothing of the model {model_id} is in the cache.")
    with writing_to(cache or cache_folder()):
        if model_id in catalog.added:
            entry_path(model_id, cache).unlink()
        for folder in folders:
            shutil.rmtree(folder)
    return freed
