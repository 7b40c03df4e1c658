"""Model packs: out of one cache into another without a network, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medenhance.added_models import add_model
from medenhance.cache import weights_path
from medenhance.catalog import read_catalog
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.manifest import ModelEntry, entry_to_json
from medenhance.packs import export_pack, import_pack
from medenhance.weights import locate, verify

WriteModel = Callable[..., ModelEntry]


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str = "other machine") -> Path:
    """From here on this is another user on a machine without a network."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path / name))
    monkeypatch.setattr(socket, "socket", refuse)
    return tmp_path / name


@pytest.fixture
def two(tmp_path: Path, write_model: WriteModel, installed: Callable[..., Path]) -> list[ModelEntry]:
    """A published model, known to every installation, and one of the user's own; both in the cache."""
    published = write_model(tmp_path / "published.safetensors", seed=1)
    write_model(tmp_path / "zz-mine.safetensors", seed=2)
    installed(published)
    assert add_model(tmp_path / "published.safetensors") == published
    return [published, add_model(tmp_path / "zz-mine.safetensors")]


@pytest.fixture
def pack(two: list[ModelEntry], tmp_path: Path) -> Path:
    assert export_pack(tmp_path / "models.zip") == two
    return tmp_path / "models.zip"


def repacked(pack: Path, change: Callable[[dict[str, bytes]], Any], compression: int = zipfile.ZIP_STORED) -> Path:
    """The pack with other contents, as any zip program would write it."""
    with zipfile.ZipFile(pack) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    with zipfile.ZipFile(pack.with_name("repacked.zip"), "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return pack.with_name("repacked.zip")


def with_index(contents: dict[str, bytes], change: Callable[[Any], Any]) -> None:
    index = json.loads(contents["pack.json"])
    change(index)
    contents["pack.json"] = json.dumps(index).encode()


def test_models_reach_another_machine_without_a_network(
    pack: Path, two: list[ModelEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = elsewhere(monkeypatch, tmp_path)
    assert import_pack(pack) == two
    assert read_catalog().added == {"zz-mine"}
    for entry in two:
        assert locate(entry).is_relative_to(other)
        assert verify(entry) < 1e-6
    assert import_pack(pack) == two


def test_the_same_models_give_the_same_bytes(
    pack: Path, two: list[ModelEntry], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = elsewhere(monkeypatch, tmp_path)
    shutil.copytree(cache, other)
    for path in other.rglob("*.safetensors"):
        path.chmod(0o600)
    export_pack(tmp_path / "again.zip", [entry.id for entry in reversed(two)])
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


def test_a_pack_is_a_plain_zip_with_checksums_for_anyone(pack: Path, two: list[ModelEntry]) -> None:
    with zipfile.ZipFile(pack) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        lines = archive.read("SHA256SUMS").decode().splitlines()
        assert len(lines) == 2
        for line in lines:
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert json.loads(archive.read("pack.json"))["models"] == [entry_to_json(entry) for entry in two]


def test_only_what_is_named_is_packed(two: list[ModelEntry], tmp_path: Path) -> None:
    assert export_pack(tmp_path / "one.zip", ["zz-mine"]) == two[1:]
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert len(archive.namelist()) == 3


@pytest.mark.usefixtures("cache")
def test_nothing_to_pack_is_said(tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        export_pack(tmp_path / "models.zip")
    assert caught.value.kind == "weights-missing"
    assert not (tmp_path / "models.zip").exists()


def test_a_damaged_or_unknown_model_is_not_packed(two: list[ModelEntry], cache: Path, tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="there is no model 'nobody'"):
        export_pack(tmp_path / "models.zip", ["nobody"])
    weights_path(two[0].files[0], cache).write_bytes(b"x")
    with pytest.raises(MedEnhanceError, match="is damaged"):
        export_pack(tmp_path / "models.zip")
    assert not (tmp_path / "models.zip").exists()


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("name", ["pack", "pack.tar", "there.zip"])
def test_the_name_of_a_pack_is_new_and_ends_in_zip(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.zip").write_bytes(b"something else")
    with pytest.raises(MedEnhanceError) as caught:
        export_pack(tmp_path / name)
    assert caught.value.kind == "output-refused"
    assert (tmp_path / "there.zip").read_bytes() == b"something else"


@pytest.mark.usefixtures("two")
def test_a_cancelled_export_leaves_nothing(tmp_path: Path) -> None:
    before = files_in(tmp_path)
    with pytest.raises(Cancelled):
        export_pack(tmp_path / "models.zip", progress=Cancelling())
    assert files_in(tmp_path) == before


class Cancelling:
    """A user who cancels at once."""

    def update(self, stage: str, fraction: float) -> None:
        raise AssertionError(f"{stage} went on to {fraction}")

    def warn(self, message: str) -> None:
        pass

    def cancelled(self) -> bool:
        return True


def first_weights(contents: dict[str, bytes]) -> str:
    return next(name for name in contents if name.startswith("weights/"))


def flip(contents: dict[str, bytes]) -> None:
    name = first_weights(contents)
    contents[name] = contents[name][:-1] + bytes([contents[name][-1] ^ 1])


def rename(contents: dict[str, bytes], new: str) -> None:
    contents[new] = contents.pop(first_weights(contents))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip, "its SHA-256 is"),
        (lambda c: c.update({first_weights(c): c[first_weights(c)] + b"more"}), "bytes instead of"),
        (lambda c: c.update({first_weights(c): c[first_weights(c)][:-1]}), "bytes instead of"),
        (lambda c: c.pop(first_weights(c)), "does not hold exactly"),
        (lambda c: c.pop("pack.json"), "it has no pack.json"),
        (lambda c: c.update({"pack.json": b"{"}), "the pack is damaged"),
        (lambda c: c.update({"pack.json": b"\xff\xfe"}), "the pack is damaged"),
        (lambda c: c.update({"pack.json": b" " * (5 << 20)}), "larger than"),
        (lambda c: c.update({"../../evil": b""}), "does not hold exactly"),
        (lambda c: c.update({"/etc/evil": b""}), "does not hold exactly"),
        (lambda c: rename(c, "weights/../../../evil.safetensors"), "does not hold exactly"),
        (lambda c: with_index(c, lambda i: i.update(format="zip")), "its format is 'zip'"),
        (lambda c: with_index(c, lambda i: i.update(more=1)), "unknown key"),
        (lambda c: with_index(c, lambda i: i["models"].append(i["models"][0])), "an id occurs twice"),
        (lambda c: with_index(c, lambda i: i["models"][0].update(size_multiple=0)), "models[0].size_multiple"),
        (
            lambda c: with_index(c, lambda i: i["models"][0]["files"][0].update(name="../e.safetensors")),
            "files[0].name",
        ),
        (lambda c: with_index(c, lambda i: i["models"][0]["files"][0].update(size_bytes=9 << 50)), "bytes instead of"),
        (lambda c: with_index(c, lambda i: i["models"][1].update(config={"channels": 4})), "its entry says"),
    ],
)
def test_a_pack_that_was_tampered_with_installs_nothing(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, bytes]], Any], said: str
) -> None:
    bad = repacked(pack, change)
    other = elsewhere(monkeypatch, tmp_path)
    before = files_in(tmp_path)
    with pytest.raises(MedEnhanceError) as caught:
        import_pack(bad)
    assert said in str(caught.value)
    assert caught.value.kind == "model-invalid"
    assert files_in(tmp_path) == before
    assert files_in(other) == []


@pytest.mark.parametrize("kept", [0, 10, 1000, -30])
def test_a_truncated_pack_installs_nothing(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    pack.write_bytes(pack.read_bytes()[:kept])
    other = elsewhere(monkeypatch, tmp_path)
    with pytest.raises(MedEnhanceError, match="the pack is damaged") as caught:
        import_pack(pack)
    assert "Copy it again" in caught.value.hint
    assert files_in(other) == []


def test_a_changed_byte_anywhere_in_the_weights_is_found(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 0x10
    pack.write_bytes(data)
    other = elsewhere(monkeypatch, tmp_path)
    with pytest.raises(MedEnhanceError, match="the pack is damaged"):
        import_pack(pack)
    assert files_in(other) == []


def test_a_compressed_archive_is_refused(pack: Path) -> None:
    with pytest.raises(MedEnhanceError, match="compressed or encrypted"):
        import_pack(repacked(pack, len, zipfile.ZIP_DEFLATED))


def test_a_model_that_computes_something_else_is_not_added(
    two: list[ModelEntry], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    from medenhance.weights import save

    path = weights_path(two[1].files[0], cache)
    tensors = load_file(path)
    golden = tensors.pop("golden.input"), tensors.pop("golden.output") + 1
    bad = save(tmp_path / two[1].files[0].name, two[1], tensors, *golden)
    target = weights_path(bad.files[0], cache)
    target.parent.mkdir()
    (tmp_path / bad.files[0].name).replace(target)
    (cache / "models" / "zz-mine.json").write_text(json.dumps(entry_to_json(bad)), encoding="utf-8")
    export_pack(tmp_path / "models.zip")
    other = elsewhere(monkeypatch, tmp_path)
    with pytest.raises(MedEnhanceError, match="does not compute what was published"):
        import_pack(tmp_path / "models.zip")
    assert files_in(other) == []


def test_a_pack_for_another_version_of_a_published_model_is_refused(
    pack: Path, two: list[ModelEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: Callable[..., Path]
) -> None:
    file = replace(two[0].files[0], sha256="ff" * 32)
    installed(replace(two[0], version="7", files=(file,)))
    other = elsewhere(monkeypatch, tmp_path)
    with pytest.raises(MedEnhanceError, match="already means version 7 with other weights") as caught:
        import_pack(pack)
    assert "update MedEnhance" in caught.value.hint
    assert files_in(other) == []


def test_bundled_models_can_travel_and_are_not_stored_twice(
    cache: Path, tmp_path: Path, write_model: WriteModel, installed: Callable[..., Path]
) -> None:
    ours = write_model(tmp_path / "resources" / "ours.safetensors", bundled=True)
    installed(ours)
    export_pack(tmp_path / "models.zip")
    assert import_pack(tmp_path / "models.zip") == [ours]
    assert files_in(cache) == []


def test_what_is_no_pack_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.zip").write_text("notes", encoding="utf-8")
    with pytest.raises(MedEnhanceError, match="the pack is damaged"):
        import_pack(tmp_path / "notes.zip")
    with pytest.raises(MedEnhanceError) as caught:
        import_pack(tmp_path / "nothing.zip")
    assert caught.value.kind == "input-missing"
