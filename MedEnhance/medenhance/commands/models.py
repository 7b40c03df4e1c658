"""`medenhance models`: which models there are, and bringing them here and away."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, subcommand

from medenhance.commands.model_text import NOTICE, card, size_text, summary, table
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.catalog import Catalog


@dataclass(frozen=True)
class List:
    """List all models.

    Attributes:
        json: Print them as JSON.
    """

    json: bool = False


@dataclass(frozen=True)
class Show:
    """Print a model's card: purpose, limits, training data, figures, licence.

    Attributes:
        id: The model.
        json: Print the manifest entry as JSON.
    """

    id: Positional[str]
    json: bool = False


@dataclass(frozen=True)
class Download:
    """Download the weights of models into the cache; an interrupted download goes on where it stopped.

    Attributes:
        ids: The models.
        mirror: Base addresses to try first; MEDENHANCE_MIRROR sets them for good.
        accept_licence: Agree to a licence that is not merely permissive; `medenhance models show` names it.
    """

    ids: Positional[tuple[str, ...]]
    mirror: tuple[str, ...] = ()
    accept_licence: bool = False


@dataclass(frozen=True)
class Verify:
    """Check installed models: SHA-256, header, and the golden test that runs the network.

    Attributes:
        ids: The models; all that are installed when none is named.
    """

    ids: Positional[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Delete:
    """Delete models from the cache; those that are part of MedEnhance stay.

    Attributes:
        ids: The models.
    """

    ids: Positional[tuple[str, ...]]


@dataclass(frozen=True)
class Add:
    """Add a model from a weights file that `medenhance-train export` wrote.

    Attributes:
        path: The .safetensors file; it is checked, tested and copied into the cache.
    """

    path: Positional[Path]


@dataclass(frozen=True)
class ExportPack:
    """Write models into one file, for machines without a network.

    Attributes:
        path: A new .zip file.
        ids: The models; all that are installed when none is named.
    """

    path: Positional[Path]
    ids: Positional[tuple[str, ...]] = ()


@dataclass(frozen=True)
class ImportPack:
    """Install the models of a pack; needs no network.

    Attributes:
        path: The .zip file.
    """

    path: Positional[Path]


Command = (
    Annotated[List, subcommand("list")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Download, subcommand("download")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Delete, subcommand("delete")]
    | Annotated[Add, subcommand("add")]
    | Annotated[ExportPack, subcommand("export-pack")]
    | Annotated[ImportPack, subcommand("import-pack")]
)


def run(arguments: List | Show | Download | Verify | Delete | Add | ExportPack | ImportPack) -> int:
    """Run one of the commands.

    Returns:
        The exit status: 1 when a verification failed.

    Raises:
        MedEnhanceError: What was asked for is not possible.
    """
    match arguments:
        case List():
            return _list(arguments)
        case Show():
            return _show(arguments)
        case Download():
            return _download(arguments)
        case Verify():
            return _verify(arguments)
        case Delete():
            return _delete(arguments)
        case Add():
            return _add(arguments)
        case ExportPack():
            return _export_pack(arguments)
        case ImportPack():
            return _import_pack(arguments)


def _list(arguments: List) -> int:
    entries = list(_catalog().entries.values())
    if arguments.json:
        print(json_format.dumps([summary(entry) for entry in entries], indent=2, ensure_ascii=False))
    else:
        print("\n".join([*table(entries), NOTICE]))
    return 0


def _show(arguments: Show) -> int:
    from medenhance.catalog import get_model
    from medenhance.manifest import entry_to_json
    from medenhance.weights import place

    entry = get_model(arguments.id, _catalog())
    if arguments.json:
        print(json_format.dumps({**entry_to_json(entry), "installed": place(entry)}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(card(entry)))
    return 0


def _download(arguments: Download) -> int:
    from medenhance.cache import cache_folder
    from medenhance.catalog import get_model
    from medenhance.commands.download_progress import DownloadProgress
    from medenhance.download import check_licence, fetch

    catalog = _catalog()
    for entry in [get_model(name, catalog) for name in _some(arguments.ids)]:
        if entry.bundled:
            print(f"{entry.id} is part of MedEnhance; there is nothing to download.")
            continue
        print(f"{entry.id}: {size_text(entry.size_bytes)}, licence {entry.licence}. {NOTICE}")
        check_licence(entry, accepted=arguments.accept_licence)
        with DownloadProgress(entry.size_bytes) as progress:
            path = fetch(entry, cache_folder(), mirrors=arguments.mirror, progress=progress)
        print(f"{entry.id} is installed and verified: {path}")
    return 0


def _verify(arguments: Verify) -> int:
    from medenhance.catalog import get_model
    from medenhance.errors import MedEnhanceError
    from medenhance.weights import GOLDEN_TOLERANCE, place, verify

    catalog = _catalog()
    installed = [name for name, entry in catalog.entries.items() if place(entry) != "available"]
    failed = 0
    for entry in [get_model(name, catalog) for name in arguments.ids or installed]:
        try:
            difference = verify(entry)
        except MedEnhanceError as error:
            failed += 1
            print(f"FAILED  {entry.id}: {error}")
        else:
            print(f"ok      {entry.id}: golden test {difference:.1e} (accepted {GOLDEN_TOLERANCE:.0e})")
    return 1 if failed else 0


def _delete(arguments: Delete) -> int:
    from medenhance.added_models import delete_model

    for name in _some(arguments.ids):
        freed = delete_model(name)
        print(f"{name} was deleted from the cache; {size_text(freed)} became free.")
    return 0


def _add(arguments: Add) -> int:
    from medenhance.added_models import add_model

    entry = add_model(arguments.path)
    print(f"{entry.id} ({entry.title}) passed its golden test and is installed. {NOTICE}")
    return 0


def _export_pack(arguments: ExportPack) -> int:
    from medenhance.packs import export_pack

    with TerminalProgress() as progress:
        entries = export_pack(arguments.path, arguments.ids, progress=progress)
    print(f"{arguments.path} holds {', '.join(entry.id for entry in entries)}.")
    return 0


def _import_pack(arguments: ImportPack) -> int:
    from medenhance.packs import import_pack

    with TerminalProgress() as progress:
        entries = import_pack(arguments.path, progress=progress)
    print(f"Installed and verified: {', '.join(entry.id for entry in entries)}. {NOTICE}")
    return 0


def _catalog() -> Catalog:
    from medenhance.catalog import read_catalog

    catalog = read_catalog()
    for problem in catalog.problems:
        print(f"Warning: {problem}", file=sys.stderr)
    return catalog


def _some(ids: tuple[str, ...]) -> tuple[str, ...]:
    from medenhance.errors import MedEnhanceError

    if not ids:
        raise MedEnhanceError("bad-option", "no model was named.", "`medenhance models list` shows them.")
    return ids
