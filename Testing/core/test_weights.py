"""Weights files: what is written is found again, and what was altered, cut or never ours is refused."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from medenhance import networks
from medenhance.cache import weights_path
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry, entry_to_json
from medenhance.weights import (
    GOLDEN_TOLERANCE,
    check_header,
    entry_of,
    known_models,
    load_state,
    locate,
    place,
    read_header,
    require_golden,
    save,
    self_test,
    verify,
)

WriteModel = Callable[..., ModelEntry]


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, str]], None]) -> None:
    """Alter the tensors or the metadata of a safetensors file by the library alone."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def test_the_file_is_plain_safetensors_with_the_stated_metadata(tmp_path: Path, write_model: WriteModel) -> None:
    entry = write_model(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", framework="pt") as file:
        metadata, names = file.metadata(), set(file.keys())
    network = networks.build(entry.network, entry.config)
    assert names == {*network.state_dict(), "golden.input", "golden.output"}
    assert (metadata["format"], metadata["network"]) == ("medenhance-1", "redcnn")
    assert json.loads(metadata["config"]) == entry.config
    header = entry_to_json(entry)
    del header["files"]
    assert json.loads(metadata["entry"]) == header


def test_the_entry_gets_the_hash_and_size_of_the_file_and_keeps_its_urls(
    tmp_path: Path, entry: ModelEntry, write_model: WriteModel
) -> None:
    path = tmp_path / entry.files[0].name
    (file,) = write_model(path).files
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.size_bytes == path.stat().st_size
    assert file.urls == entry.files[0].urls


def test_the_same_model_gives_the_same_bytes_in_any_process(tmp_path: Path, entry: ModelEntry) -> None:
    program = """
import json, sys, torch
from pathlib import Path
from medenhance.manifest import entry_from_json
from medenhance.weights import save
state = {name: torch.full((n + 1, 3), float(n)) for n, name in enumerate("wbcd")}
golden = torch.ones(1, 1, 2, 2)
save(Path(sys.argv[1]), entry_from_json(json.loads(sys.argv[2])), state, golden, golden)
"""
    text = json.dumps(entry_to_json(entry))
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name), text], check=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    data = (tmp_path / "a").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == ["config", "entry", "format", "network"]
    assert load_file(tmp_path / "a")["d"].tolist() == [[3.0] * 3] * 4


def test_the_state_dict_comes_back_without_the_golden_tensors(tmp_path: Path, write_model: WriteModel) -> None:
    entry = write_model(tmp_path / "m.safetensors")
    state = load_state(tmp_path / "m.safetensors", entry)
    network = networks.build(entry.network, entry.config)
    network.load_state_dict(state)
    assert all(
        torch.equal(state[name], tensor)
        for name, tensor in load_file(tmp_path / "m.safetensors").items()
        if name in state
    )


def test_an_unaltered_model_passes_its_golden_test(tmp_path: Path, write_model: WriteModel) -> None:
    write_model(tmp_path / "m.safetensors")
    assert self_test(tmp_path / "m.safetensors") <= 1e-6


@pytest.mark.parametrize("size", [10 * GOLDEN_TOLERANCE, float("nan")])
def test_a_model_that_computes_something_else_fails_it(tmp_path: Path, write_model: WriteModel, size: float) -> None:
    path = tmp_path / "m.safetensors"
    write_model(path)
    rewrite(path, lambda tensors, _: tensors["decoder.2.bias"].add_(size))
    with pytest.raises(MedEnhanceError, match="does not compute what was published") as caught:
        require_golden(path)
    assert caught.value.kind == "model-invalid"
    if size == size:
        assert self_test(path) == pytest.approx(size, rel=0.01)


def test_golden_tensors_are_needed(tmp_path: Path, write_model: WriteModel) -> None:
    path = tmp_path / "m.safetensors"
    write_model(path)
    rewrite(path, lambda tensors, _: tensors.pop("golden.output"))
    with pytest.raises(MedEnhanceError, match=r"no tensor 'golden\.output'"):
        self_test(path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"channels": 6, "kernel": 3, "depth": 3, "final_relu": False}, "do not fit"),
        ({"channels": 4, "kernel": 3, "depth": 3, "colour": "red"}, r"redcnn\.config\.colour: unknown key"),
        ({"channels": "4"}, r"redcnn\.config\.channels: a whole number was expected"),
    ],
)
def test_a_config_that_does_not_fit_the_network_is_refused(
    tmp_path: Path, write_model: WriteModel, config: dict[str, Any], said: str
) -> None:
    path = tmp_path / "m.safetensors"
    write_model(path)
    rewrite(path, lambda _, metadata: metadata.update(config=json.dumps(config)))
    with pytest.raises(MedEnhanceError, match=said) as caught:
        self_test(path)
    assert caught.value.kind == "model-invalid"


def test_an_unknown_network_is_refused(tmp_path: Path, write_model: WriteModel) -> None:
    path = tmp_path / "m.safetensors"
    write_model(path)
    rewrite(path, lambda _, metadata: metadata.update(network="perceptron"))
    with pytest.raises(MedEnhanceError, match="unknown network 'perceptron'"):
        self_test(path)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"version": "9"},
        {"network": "mtdgan"},
        {"config": {}},
        {"intensity": {"kind": "window", "lo_hu": -160, "hi_hu": 240}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_header_at_odds_with_the_manifest_is_refused(
    tmp_path: Path, write_model: WriteModel, change: dict[str, Any]
) -> None:
    path = tmp_path / "m.safetensors"
    entry = write_model(path)
    check_header(read_header(path), replace(entry, title="Retitled", limits=()), path)
    with pytest.raises(MedEnhanceError):
        load_state(path, replace(entry, **change))


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, write_model: WriteModel, kept: int) -> None:
    path = tmp_path / "m.safetensors"
    write_model(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MedEnhanceError, match="no readable safetensors file") as caught:
        load_state(path)
    assert caught.value.kind == "model-invalid"


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "exploded",)

    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(MedEnhanceError, match="no readable safetensors file"):
        load_state(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, "format None instead of"),
        ({"format": "pt"}, "format 'pt' instead of"),
        ({"format": "medenhance-1", "network": "redcnn"}, "'config' in its header is not JSON"),
        (
            {"format": "medenhance-1", "network": "redcnn", "config": "[]"},
            "'config' in its header is not a JSON object",
        ),
        ({"format": "medenhance-1", "network": "redcnn", "config": "{}", "entry": "{"}, "'entry' in its header is not"),
    ],
)
def test_a_foreign_safetensors_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None, said: str) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "m.safetensors", metadata)
    with pytest.raises(MedEnhanceError, match=said):
        read_header(tmp_path / "m.safetensors")


def test_an_entry_can_be_taken_from_the_file_alone(tmp_path: Path, write_model: WriteModel) -> None:
    written = write_model(tmp_path / "some name (1).safetensors", id="mine")
    entry = entry_of(tmp_path / "some name (1).safetensors")
    assert replace(entry, files=()) == replace(written, files=())
    assert entry.files[0].name == "mine.safetensors"
    assert entry.files[0].sha256 == written.files[0].sha256


def test_a_bundled_model_is_found_in_the_installation(
    cache: Path, installed: Callable[..., Path], write_model: WriteModel
) -> None:
    resources = cache.parent / "resources"
    entry = write_model(resources / "ours.safetensors", bundled=True)
    installed(entry)
    assert known_models() == {"ours": entry}
    assert locate(entry) == resources / "ours.safetensors"
    assert place(entry) == "bundled"
    assert verify(entry) <= GOLDEN_TOLERANCE
    (resources / "ours.safetensors").unlink()
    with pytest.raises(MedEnhanceError, match=r"is missing\. Install MedEnhance again"):
        locate(entry)


def test_weights_that_are_not_here_say_how_to_get_them(cache: Path, entry: ModelEntry) -> None:
    assert place(entry) == "available"
    with pytest.raises(MedEnhanceError) as caught:
        locate(entry)
    assert caught.value.kind == "weights-missing"
    assert "models download tiny-redcnn" in caught.value.hint
    assert not cache.exists()


def test_one_wrong_bit_in_the_cache_is_found(cache: Path, write_model: WriteModel, tmp_path: Path) -> None:
    entry = write_model(tmp_path / "m.safetensors")
    path = weights_path(entry.files[0], cache)
    path.parent.mkdir(parents=True)
    data = bytearray((tmp_path / "m.safetensors").read_bytes())
    path.write_bytes(data)
    assert locate(entry) == path
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(MedEnhanceError, match="its SHA-256 is") as caught:
        locate(entry)
    assert caught.value.kind == "model-invalid"
    path.write_bytes(data[:-1])
    with pytest.raises(MedEnhanceError, match=f"{len(data) - 1} bytes instead of {len(data)}"):
        locate(entry)


def test_an_intensity_map_that_does_not_exist_fails_verification(
    cache: Path, write_model: WriteModel, tmp_path: Path
) -> None:
    entry = write_model(tmp_path / "m.safetensors", intensity={"kind": "sepia"})
    path = weights_path(entry.files[0], cache)
    path.parent.mkdir(parents=True)
    (tmp_path / "m.safetensors").replace(path)
    with pytest.raises(MedEnhanceError, match="unknown intensity map 'sepia'"):
        verify(entry)


def test_saving_leaves_the_training_state_alone(tmp_path: Path, entry: ModelEntry) -> None:
    weight = torch.nn.Parameter(torch.randn(4, 6).t())
    golden = torch.zeros(1, 1, 2, 2)
    save(tmp_path / "m.safetensors", entry, {"w": weight}, golden, golden)
    assert weight.requires_grad
    assert not weight.is_contiguous()
    assert torch.equal(load_file(tmp_path / "m.safetensors")["w"], weight.detach())
