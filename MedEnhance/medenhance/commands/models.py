"""`medenhance models`: which models there are, and bringing them here and away."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, subcommand

if TYPE_CHECKING:
    from medenhance.catalog import Catalog
    from medenhance.manifest import ModelEntry

# Licences that ask for no more than attribution. Any other has terms that its user must have agreed to.
PERMISSIVE = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0")
NOTICE = "Research use only: not a medical device."


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
    catalog = _catalog()
    rows = [_summary(entry) for entry in catalog.entries.values()]
    if arguments.json:
        print(json_module.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    header = ("ID", "TASK", "INSTALLED", "SIZE", "DEFAULT", "TITLE")
    table = [
        (row["id"], row["task"], row["installed"], _size(row["size_bytes"]), "*" if row["default"] else "", row["title"])
        for row in rows
    ]
    print("\n".join(_columns([header, *table])))
    print(NOTICE)
    return 0


def _show(arguments: Show) -> int:
    from medenhance.catalog import get_model
    from medenhance.manifest import entry_to_json
    from medenhance.weights import place

    entry = get_model(arguments.id, _catalog())
    if arguments.json:
        print(json_module.dumps({**entry_to_json(entry), "installed": place(entry)}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(card(entry)))
    return 0


def card(entry: ModelEntry) -> Iterator[str]:
    """A model's card, for people."""
    from medenhance.weights import place

    accepted, trusted = entry.accepted, entry.trusted
    yield f"{entry.title}\n{NOTICE}\n"
    yield f"id            {entry.id}, version {entry.version}{', default' if entry.default else ''}"
    yield f"task          {entry.task}"
    yield f"network       {entry.network} {json_module.dumps(entry.config)}"
    yield f"installed     {place(entry)}, {_size(entry.size_bytes)}"
    yield f"licence       {entry.licence}"
    yield f"intended use  {entry.intended_use}"
    yield f"accepts       {accepted.modality}, {accepted.channels} channel(s), values {_span(accepted.value_range, 'HU')}"
    yield f"              pixels {_span(accepted.spacing_mm, 'mm')}, slices {_span(accepted.slice_spacing_mm, 'mm')}"
    yield f"measured on   noise SD {_span(trusted.noise_sd_hu, 'HU')}, pixels {_span(trusted.spacing_mm, 'mm')}"
    yield f"expected      CT-number bias up to {trusted.max_abs_bias_hu:g} HU, "
    yield f"              structure in what is removed up to {trusted.max_residual_structure:g}"
    yield f"precisions    {', '.join(entry.precisions)}"
    yield from _bullets("Limits", entry.limits)
    yield from _bullets("Training data", entry.training_data)
    yield from _bullets("Figures", [f"{name}: {value:g}" for name, value in entry.metrics.items()])
    yield f"\nTrained by the recipe {entry.recipe} at commit {entry.commit}."
    for file in entry.files:
        yield f"{file.name}: SHA-256 {file.sha256}"


def _download(arguments: Download) -> int:
    from medenhance.cache import cache_folder
    from medenhance.catalog import get_model
    from medenhance.download import fetch
    from medenhance.errors import MedEnhanceError

    catalog = _catalog()
    for entry in [get_model(name, catalog) for name in _named(arguments.ids)]:
        if entry.bundled:
            print(f"{entry.id} is part of MedEnhance; there is nothing to download.")
            continue
        print(f"{entry.id}: {_size(entry.size_bytes)}, licence {entry.licence}. {NOTICE}")
        if entry.licence not in PERMISSIVE and not arguments.accept_licence:
            hint = "Read it, and agree with --accept-licence."
            raise MedEnhanceError("bad-option", f"the licence of {entry.id} is {entry.licence}.", hint)
        with _ByteProgress(entry.size_bytes) as progress:
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

    for name in _named(arguments.ids):
        freed = delete_model(name)
        print(f"{name} was deleted from the cache; {_size(freed)} became free.")
    return 0


def _add(arguments: Add) -> int:
    from medenhance.added_models import add_model

    entry = add_model(arguments.path)
    print(f"{entry.id} ({entry.title}) passed its golden test and is installed. {NOTICE}")
    return 0


def _export_pack(arguments: ExportPack) -> int:
    from medenhance.packs import export_pack

    with _ByteProgress(None) as progress:
        entries = export_pack(arguments.path, arguments.ids, progress=progress)
    print(f"{arguments.path} holds {', '.join(entry.id for entry in entries)}.")
    return 0


def _import_pack(arguments: ImportPack) -> int:
    from medenhance.packs import import_pack

    with _ByteProgress(None) as progress:
        entries = import_pack(arguments.path, progress=progress)
    print(f"Installed and verified: {', '.join(entry.id for entry in entries)}. {NOTICE}")
    return 0
