"""What the panels ask of a real worker process beside denoising: models, packs, downloads, the doctor."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from medenhance.added_models import register
from medenhance.cache import weights_path
from medenhance.manifest import ModelEntry, entry_from_json, load_manifest
from medenhance.weights import GOLDEN_TOLERANCE
from medenhance.worker_protocol import BadLineError, parse_line
from medenhance.worker_tasks import TASKS

Event = dict[str, Any]
WriteModel = Callable[..., ModelEntry]
LAST = ("result", "error", "cancelled")
WIDE = {"channels": 32, "kernel": 3, "depth": 3, "final_relu": False}  # some hundred kilobytes
HEAVY = "numpy torch SimpleITK pydicom scipy matplotlib requests safetensors tqdm psutil"


class WorkerProcess:
    """A worker as the panels have it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.num_asked = 0

    def send(self, value: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        self.process.stdin.flush()

    def event(self) -> Event:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, task: str, **payload: object) -> Event:
        """The last event of a request."""
        self.num_asked += 1
        self.send({"id": str(self.num_asked), "task": task, **payload})
        while (event := self.event())["event"] not in LAST:
            pass
        return event

    def seconds_to_cancel(self) -> float:
        """Cancel the request "c", and return the seconds until its last event, which says so."""
        begun = time.monotonic()
        self.send({"cancel": "c"})
        while (event := self.event())["event"] not in LAST:
            pass
        assert event == {"id": "c", "event": "cancelled"}
        return time.monotonic() - begun


@contextmanager
def running(*words: str) -> Iterator[WorkerProcess]:
    process = subprocess.Popen(
        [sys.executable, *(words or ("-m", "medenhance", "worker"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield WorkerProcess(process)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the worker's; its installation is the real one."""
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path / "cache 検"))
    monkeypatch.delenv("MEDENHANCE_MIRROR", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return tmp_path / "cache 検"


@contextmanager
def serving(body: bytes, given: int) -> Iterator[tuple[str, threading.Event]]:
    """A server that gives the first ``given`` bytes and then says nothing; no answer at all for 0.

    Yields its address, and what is set when it has begun to say nothing.
    """
    silent, released = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if given:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:given])
            if given < len(body):
                silent.set()
                released.wait(60)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/model.safetensors", silent
    finally:
        released.set()
        server.shutdown()
        server.server_close()


def known_but_elsewhere(write_model: WriteModel, folder: Path, cache: Path, address: str, **changes: Any) -> ModelEntry:
    """A model that the worker knows and whose weights are at ``address`` alone."""
    entry = write_model(folder / "far.safetensors", default=False, **changes)
    entry = replace(entry, files=(replace(entry.files[0], urls=(address,)),))
    (cache / "models").mkdir(parents=True)
    register(entry, cache)
    return entry


def weights(write_model: WriteModel, folder: Path, **changes: Any) -> bytes:
    """What a server gives for that model."""
    write_model(folder / "far.safetensors", default=False, **changes)
    return (folder / "far.safetensors").read_bytes()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_refuses_a_key_that_it_does_not_know(task: str) -> None:
    with pytest.raises(BadLineError, match=r"request\.stren"):
        parse_line(json.dumps({"id": "1", "task": task, "stren": 1}).encode())


@pytest.mark.parametrize("task", TASKS)
def test_every_task_stands_in_the_description_of_the_protocol(task: str) -> None:
    import medenhance.worker_protocol

    assert f"\n{task}" in (medenhance.worker_protocol.__doc__ or "")


def test_slicer_may_import_the_protocol_because_nothing_heavy_comes_with_it() -> None:
    code = f"import sys, medenhance.worker_protocol\nprint([n for n in {HEAVY!r}.split() if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WITHOUT_TORCH = """
import sys
class Refuses:
    def find_spec(name, path=None, target=None):
        if name == "torch":
            raise ImportError("torch was imported")
sys.meta_path.insert(0, Refuses)
from medenhance.__main__ import main
sys.exit(main(["worker"]))
"""


def test_models_are_listed_in_full_without_pytorch(own_cache: Path, write_model: WriteModel, tmp_path: Path) -> None:
    entry = known_but_elsewhere(write_model, tmp_path, own_cache, "https://example.org/far", licence="CC-BY-NC-4.0")
    (own_cache / "models" / "broken.json").write_text("{", encoding="utf-8")
    with running("-c", WITHOUT_TORCH) as worker:
        answer = worker.ask("models")
    assert answer["cache"] == str(own_cache)
    assert answer["cache_bytes"] == sum(path.stat().st_size for path in (own_cache / "models").iterdir())
    assert "broken" in answer["problems"][0]
    models = {model["id"]: model for model in answer["models"]}
    far = models["far"]
    assert (far["installed"], far["added"], far["permissive"], far["path"]) == ("available", True, False, None)
    assert far["size_bytes"] == entry.size_bytes
    for known in load_manifest().values():
        model = models[known.id]
        assert model["installed"] == "bundled"
        assert Path(model["path"]).is_file()
        assert not model["added"]
    own_keys = ("installed", "added", "size_bytes", "permissive", "path")
    assert entry_from_json({key: value for key, value in far.items() if key not in own_keys}) == entry


def test_a_model_is_added_verified_packed_deleted_and_brought_back(
    own_cache: Path, write_model: WriteModel, tmp_path: Path
) -> None:
    write_model(tmp_path / "mine.safetensors", title="Mine")
    pack = tmp_path / "models.zip"
    with running() as worker:

        def installed() -> dict[str, str]:
            return {model["id"]: model["installed"] for model in worker.ask("models")["models"]}

        added = worker.ask("model-add", path=str(tmp_path / "mine.safetensors"))
        assert (added["model"], added["title"]) == ("mine", "Mine")
        assert installed()["mine"] == "installed"
        verified = worker.ask("model-verify", model="mine")
        assert 0 <= verified["difference"] <= verified["tolerance"] == GOLDEN_TOLERANCE
        assert worker.ask("pack-export", path=str(pack), models=["mine"])["models"] == ["mine"]
        assert worker.ask("model-delete", model="mine")["freed_bytes"] > 1000
        assert "mine" not in installed()
        assert worker.ask("pack-import", path=str(pack))["models"] == ["mine"]
        assert installed()["mine"] == "installed"
        again = worker.ask("pack-export", path=str(pack))
        assert (again["event"], again["kind"]) == ("error", "output-refused")
        assert worker.ask("model-delete", model="nobody")["kind"] == "model-unknown"


def test_a_download_needs_the_licence_and_arrives_verified(
    own_cache: Path, write_model: WriteModel, tmp_path: Path
) -> None:
    body = weights(write_model, tmp_path, licence="CC-BY-NC-4.0")
    with serving(body, len(body)) as (address, _), running() as worker:
        entry = known_but_elsewhere(write_model, tmp_path, own_cache, address, licence="CC-BY-NC-4.0")
        refused = worker.ask("model-download", model="far")
        assert (refused["kind"], "CC-BY-NC-4.0" in refused["message"]) == ("bad-option", True)
        answer = worker.ask("model-download", model="far", accept_licence=True)
    assert answer["path"] == str(weights_path(entry.files[0], own_cache))
    assert Path(answer["path"]).read_bytes() == body


@pytest.mark.parametrize("share", [0.0, 0.5], ids=["before its answer", "in the middle"])
def test_a_download_from_a_server_that_fell_silent_is_cancelled_within_two_seconds(
    share: float, own_cache: Path, write_model: WriteModel, tmp_path: Path
) -> None:
    body = weights(write_model, tmp_path, config=WIDE)
    given = int(share * len(body))
    # What arrives is taken in blocks of 8 KiB; the rest of the last block does not count.
    kept = given // 8192 * 8192

    with serving(body, given) as (address, silent), running() as worker:
        entry = known_but_elsewhere(write_model, tmp_path, own_cache, address, config=WIDE)
        worker.send({"id": "c", "task": "model-download", "model": "far"})
        assert silent.wait(20)
        time.sleep(0.3)  # until what was sent has been taken
        assert worker.seconds_to_cancel() < 2.0
        part = weights_path(entry.files[0], own_cache).with_name("far.safetensors.part")
        assert (part.stat().st_size if part.exists() else 0) == kept
        assert worker.ask("models")["event"] == "result"


def test_the_doctor_answers_for_people_and_for_programs(own_cache: Path) -> None:
    with running() as worker:
        answer = worker.ask("doctor")
    assert answer["report"]["cache"] == str(own_cache)
    assert answer["report"]["healthy"] is True
    assert answer["report"]["devices"]
    assert str(own_cache) in answer["text"]
    assert "research use only" in answer["text"]


def test_the_doctor_stops_when_asked_to(own_cache: Path) -> None:
    with running() as worker:
        worker.ask("hello")  # PyTorch is loaded, and the first convolutions are done
        worker.send({"id": "c", "task": "doctor"})
        while worker.event().get("stage") != "devices":
            pass
        assert worker.seconds_to_cancel() < 2.0
