"""Models that a user adds and deletes, beside those that come with the installation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from medenhance.added_models import add_model, delete_model
from medenhance.cache import entry_path, weights_path
from medenhance.catalog import get_model, read_catalog
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from medenhance.weights import known_models, locate, save, verify

WriteModel = Callable[..., ModelEntry]


def files_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


@pytest.fixture
def mine(tmp_path: Path, write_model: WriteModel) -> Path:
    """A weights file of the user's own, whose header claims roles that no added model may have."""
    write_model(tmp_path / "my model (1).safetensors", id="mine", default=True, bundled=True)
    return tmp_path / "my model (1).safetensors"


def test_an_added_model_is_known_verified_and_never_a_default(cache: Path, mine: Path) -> None:
    entry = add_model(mine)
    assert known_models() == {"mine": entry}
    assert read_catalog().added == {"mine"}
    assert not entry.default
    assert not entry.bundled
    assert locate(entry).read_bytes() == mine.read_bytes()
    assert verify(entry) < 1e-6
    assert files_in(cache) == sorted(["models/mine.json", f"weights/{entry.files[0].sha256[:16]}/mine.safetensors"])


def test_adding_the_same_model_twice_changes_nothing(cache: Path, mine: Path) -> None:
    entry = add_model(mine)
    before = files_in(cache)
    assert add_model(mine) == entry
    assert files_in(cache) == before


def test_other_weights_under_a_known_id_are_refused(
    cache: Path, mine: Path, tmp_path: Path, write_model: WriteModel
) -> None:
    add_model(mine)
    before = files_in(cache)
    write_model(tmp_path / "other.safetensors", seed=1, id="mine", version="2")
    with pytest.raises(MedEnhanceError, match=r"already means version 1\.2 with other weights") as caught:
        add_model(tmp_path / "other.safetensors")
    assert "models delete mine" in caught.value.hint
    assert files_in(cache) == before


def test_a_model_that_fails_its_golden_test_is_not_added(cache: Path, tmp_path: Path, write_model: WriteModel) -> None:
    path = tmp_path / "bad.safetensors"
    entry = write_model(path)
    tensors = load_file(path)
    golden = tensors.pop("golden.input"), tensors.pop("golden.output") + 1
    save(path, entry, tensors, *golden)
    with pytest.raises(MedEnhanceError, match="does not compute what was published"):
        add_model(path)
    assert files_in(cache) == []
    assert known_models() == {}


def test_a_missing_file_is_an_input_error(cache: Path) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        add_model(cache / "nothing.safetensors")
    assert caught.value.kind == "input-missing"


def test_a_file_brought_by_hand_installs_a_model_that_the_installation_knows(
    cache: Path, tmp_path: Path, write_model: WriteModel, installed: Callable[..., Path]
) -> None:
    known = write_model(tmp_path / "published.safetensors")
    installed(known)
    assert add_model(tmp_path / "published.safetensors") == known
    assert locate(known) == weights_path(known.files[0], cache)
    assert read_catalog().added == frozenset()


def test_deleting_frees_the_bytes_and_forgets_an_added_model(cache: Path, mine: Path) -> None:
    entry = add_model(mine)
    assert delete_model("mine") == entry.size_bytes
    assert files_in(cache) == []
    assert known_models() == {}


def test_deleting_a_downloaded_model_keeps_it_in_the_list(
    cache: Path, tmp_path: Path, write_model: WriteModel, installed: Callable[..., Path]
) -> None:
    known = write_model(tmp_path / "published.safetensors")
    installed(known)
    add_model(tmp_path / "published.safetensors")
    part = weights_path(known.files[0], cache).with_name("published.safetensors.part")
    part.write_bytes(b"12345")
    assert delete_model(known.id) == known.size_bytes + 5
    assert list(known_models()) == [known.id]
    with pytest.raises(MedEnhanceError, match="nothing of the model published is in the cache"):
        delete_model(known.id)


@pytest.mark.usefixtures("cache")
def test_a_bundled_model_cannot_be_deleted(entry: ModelEntry, installed: Callable[..., Path]) -> None:
    installed(replace(entry, bundled=True))
    with pytest.raises(MedEnhanceError, match="is part of MedEnhance"):
        delete_model(entry.id)


def test_weights_that_another_model_uses_stay(cache: Path, mine: Path) -> None:
    entry = add_model(mine)
    twin = json.loads(entry_path("mine", cache).read_text(encoding="utf-8"))
    entry_path("twin", cache).write_text(json.dumps({**twin, "id": "twin"}), encoding="utf-8")
    assert delete_model("mine") == 0
    assert locate(known_models()["twin"]) == weights_path(entry.files[0], cache)


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '{"id": "broken", "colour": "red"}'])
def test_a_damaged_entry_is_that_models_problem_alone(cache: Path, mine: Path, text: str) -> None:
    add_model(mine)
    entry_path("broken", cache).write_text(text, encoding="utf-8")
    catalog = read_catalog()
    assert list(catalog.entries) == ["mine"]
    assert len(catalog.problems) == 1
    with pytest.raises(MedEnhanceError, match="The added model broken cannot be used"):
        get_model("broken", catalog)


def test_an_added_model_never_hides_one_of_the_installation(
    cache: Path, mine: Path, entry: ModelEntry, installed: Callable[..., Path]
) -> None:
    add_model(mine)
    ours = replace(entry, id="mine", title="Ours")
    installed(ours)
    catalog = read_catalog(cache)
    assert catalog.entries == {"mine": ours}
    assert "is hidden by the one of the same id" in catalog.problems[0]


def test_a_misspelled_id_is_answered_with_the_closest(cache: Path, mine: Path) -> None:
    add_model(mine)
    with pytest.raises(MedEnhanceError) as caught:
        get_model("nime", read_catalog(cache))
    assert caught.value.kind == "model-unknown"
    assert "Known: mine." in caught.value.hint
