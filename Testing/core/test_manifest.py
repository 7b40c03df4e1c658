"""The manifest: everything in it is checked, and an error names the key."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medenhance.errors import MedEnhanceError
from medenhance.manifest import (
    RESOURCES,
    ModelEntry,
    add_entry,
    entry_from_json,
    entry_to_json,
    load_manifest,
    manifest_text,
    parse_manifest,
)

FREE_FORM = ("config", "intensity", "sampler", "metrics")  # objects whose keys are their owners' affair


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every leaf."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))
    if not isinstance(value, (dict, list)):
        yield path


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    result = copy.deepcopy(value)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return result


def spelled(path: tuple[Any, ...]) -> str:
    return "entry" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def test_the_manifest_that_ships_passes_its_checks_and_is_in_its_stable_form() -> None:
    text = (RESOURCES / "models.json").read_text(encoding="utf-8")
    assert manifest_text(list(load_manifest().values())) == text


def test_an_entry_survives_json(entry: ModelEntry) -> None:
    assert entry_from_json(json.loads(json.dumps(entry_to_json(entry)))) == entry


def test_every_leaf_of_a_wrong_type_is_found_and_named(entry: ModelEntry) -> None:
    value = entry_to_json(entry)
    leaves = [path for path in paths(value) if path[0] not in FREE_FORM]
    assert len(leaves) > 30
    for path in leaves:
        with pytest.raises(MedEnhanceError) as caught:
            entry_from_json(changed(value, path, {"surprising": None}))
        assert caught.value.kind == "model-invalid"
        assert spelled(path) in caught.value.message


def test_every_key_is_needed_and_no_other_is_known(entry: ModelEntry) -> None:
    value = entry_to_json(entry)
    for key in value:
        with pytest.raises(MedEnhanceError, match=rf"entry\.{key}: this key is missing"):
            entry_from_json({name: item for name, item in value.items() if name != key})
    for path in ((), ("accepted",), ("trusted",), ("tiling",), ("files", 0)):
        with pytest.raises(MedEnhanceError) as caught:
            entry_from_json(changed(value, (*path, "colour"), "red"))
        assert f"{spelled(path)}.colour: unknown key" in caught.value.message


def test_measured_ranges_belong_to_ct_models_alone(entry: ModelEntry) -> None:
    value = entry_to_json(entry)
    with pytest.raises(MedEnhanceError, match=r"entry\.trusted: .*this one is for denoise-ct"):
        entry_from_json({**value, "trusted": None})
    with pytest.raises(MedEnhanceError, match=r"entry\.trusted: .*this one is for enhance-spine"):
        entry_from_json({**value, "task": "enhance-spine"})
    assert entry_from_json({**value, "task": "enhance-spine", "trusted": None}).trusted is None


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("id",), "Upper Case"),
        (("id",), "../x"),
        (("version",), " "),
        (("title",), ""),
        (("task",), "make-coffee"),
        (("licence",), ""),
        (("precisions",), ["bf16"]),
        (("precisions",), ["fp32", "fp32"]),
        (("precisions", 1), "fp8"),
        (("accepted", "channels"), 0),
        (("accepted", "spacing_mm"), [2.0, 1.0]),
        (("accepted", "spacing_mm"), [-1.0, 1.0]),
        (("accepted", "slice_spacing_mm"), [1.0, 1.0]),
        (("accepted", "value_range"), [100, -100]),
        (("trusted", "noise_sd_hu"), [30, 3]),
        (("trusted", "spacing_mm"), [1, 0.5]),
        (("trusted", "max_abs_bias_hu"), -0.1),
        (("trusted", "max_residual_structure"), 1.5),
        (("tiling", "tile"), 95),
        (("tiling", "tile"), 0),
        (("tiling", "overlap"), 96),
        (("tiling", "overlap"), -1),
        (("size_multiple",), 0),
        (("files",), []),
        (("files", 0, "name"), "../../evil.safetensors"),
        (("files", 0, "name"), "a/b.safetensors"),
        (("files", 0, "name"), "a\\b.safetensors"),
        (("files", 0, "name"), "C:x.safetensors"),
        (("files", 0, "name"), "weights.pt"),
        (("files", 0, "sha256"), "AB" * 32),
        (("files", 0, "sha256"), "ab" * 31),
        (("files", 0, "size_bytes"), 0),
        (("files", 0, "urls", 0), "ftp://example.org/x"),
        (("files", 0, "urls", 0), "file:///etc/passwd"),
        (("files", 0, "urls", 0), "https:///x"),
        (("metrics", "psnr_db"), "high"),
        (("metrics", "psnr_db"), float("nan")),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(entry: ModelEntry, path: tuple[Any, ...], wrong: Any) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        entry_from_json(changed(entry_to_json(entry), path, wrong))
    assert caught.value.kind == "model-invalid"
    assert spelled(path) in caught.value.message


def test_a_whole_slice_model_has_no_tile(entry: ModelEntry) -> None:
    value = changed(entry_to_json(entry), ("tiling", "tile"), None)
    assert entry_from_json(value).tiling.tile is None


def test_an_id_twice_or_a_task_without_exactly_one_default_is_refused(entry: ModelEntry) -> None:
    other = replace(entry, id="other", default=False)
    assert list(parse_manifest(manifest_text([entry, other]))) == ["tiny-redcnn", "other"]
    with pytest.raises(MedEnhanceError, match="'tiny-redcnn' is used 2 times"):
        parse_manifest(manifest_text([entry, replace(entry, default=False)]))
    with pytest.raises(MedEnhanceError, match="exactly one default, not 2"):
        parse_manifest(manifest_text([entry, replace(other, default=True)]))
    with pytest.raises(MedEnhanceError, match="exactly one default, not 0"):
        parse_manifest(manifest_text([other]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "an object was expected"),
        ('{"schema": 2, "models": []}', "version 1 was expected, not 2"),
        ('{"schema": 1}', "manifest.models: this key is missing"),
        ('{"schema": 1, "models": [], "more": 0}', "manifest.more: unknown key"),
        ('{"schema": 1, "models": [{"id": "x"}]}', "models[0].version: this key is missing"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "models.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MedEnhanceError) as caught:
        load_manifest(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_manifest_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="cannot be read"):
        load_manifest(tmp_path / "models.json")


def test_adding_an_entry_replaces_its_namesake_in_place_and_writes_nothing(tmp_path: Path, entry: ModelEntry) -> None:
    path = tmp_path / "models.json"
    text = manifest_text([entry, replace(entry, id="second", default=False)])
    path.write_text(text, encoding="utf-8")
    assert add_entry(path, entry) == text
    newer = replace(entry, version="2")
    assert parse_manifest(add_entry(path, newer))[entry.id] == newer
    third = replace(entry, id="third", default=False)
    assert list(parse_manifest(add_entry(path, third))) == ["tiny-redcnn", "second", "third"]
    assert path.read_text(encoding="utf-8") == text


def test_a_new_default_takes_the_role_from_the_old_one(tmp_path: Path, entry: ModelEntry) -> None:
    path = tmp_path / "models.json"
    path.write_text(manifest_text([entry]), encoding="utf-8")
    entries = parse_manifest(add_entry(path, replace(entry, id="better")))
    assert {name: item.default for name, item in entries.items()} == {"tiny-redcnn": False, "better": True}


def test_an_invalid_entry_cannot_be_added(tmp_path: Path, entry: ModelEntry) -> None:
    path = tmp_path / "models.json"
    path.write_text(manifest_text([entry]), encoding="utf-8")
    with pytest.raises(MedEnhanceError, match=r"models\[1\]\.size_multiple"):
        add_entry(path, replace(entry, id="odd", default=False, size_multiple=0))


def test_reading_the_manifest_and_its_commands_loads_nothing_heavy() -> None:
    program = (
        "import sys, medenhance.commands.models, medenhance.commands.doctor;"
        "from medenhance.manifest import load_manifest; load_manifest();"
        "print([name for name in ('torch', 'numpy', 'requests', 'tqdm', 'filelock') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
