"""The worker answers every request with events, keeps its weights, and never outlives those it works for."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medenhance.image_files import write_image
from medenhance.volume import Volume
from medenhance.worker import Job, JobProgress, Worker
from medenhance.worker_protocol import EventStream
from medenhance.worker_tasks import TASKS
from medenhance.worker_tasks.denoise_ct import DenoiseCtMessage

Event = dict[str, Any]
LAST = ("result", "error", "cancelled")


def request(study: Path, output: Path, model: str, request_id: str = "1", **options: object) -> Event:
    asked = {"model": model, **options}
    return {"id": request_id, "task": "denoise-ct", "input": str(study), "output": str(output), "options": asked}


def line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n"


def events_in(stream: io.StringIO) -> list[Event]:
    return [json.loads(text) for text in stream.getvalue().splitlines()]


def answers(*values: object) -> list[Event]:
    """All events to requests that are made at once."""
    stream = io.StringIO()
    served = Worker(EventStream(stream))
    served.read(io.BytesIO(b"".join(value if isinstance(value, bytes) else line(value) for value in values)))
    served.work()
    return events_in(stream)


def kinds(events: list[Event], request_id: str = "1") -> list[str]:
    return [event["event"] for event in events if event["id"] == request_id]


def test_a_request_is_started_progresses_and_ends_in_one_result(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    output, report = tmp_path / "out.nrrd", tmp_path / "report.json"
    events = answers(request(ct_nrrd, output, tiny_model, report=str(report)))
    assert kinds(events)[0] == "started"
    assert [kind for kind in kinds(events) if kind in LAST] == ["result"]
    assert kinds(events)[-1] == "result"
    assert events[-1]["outputs"] == {"output": str(output), "report": str(report)}
    assert events[-1]["report"] == json.loads(report.read_text(encoding="utf-8"))
    assert output.is_file()


def test_progress_names_stages_in_order_with_growing_fractions(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    progress = [e for e in answers(request(ct_nrrd, tmp_path / "o.nrrd", tiny_model)) if e["event"] == "progress"]
    stages = list(dict.fromkeys(event["stage"] for event in progress))
    assert stages[0] == "load"
    assert stages.index("denoise") < stages.index("measure") < stages.index("write")
    assert all(0 <= event["fraction"] <= 1 for event in progress)
    assert all(event["eta_s"] is None or event["eta_s"] >= 0 for event in progress)


def test_warnings_of_the_trust_report_are_events(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    events = answers(request(ct_nrrd, tmp_path / "o.nrrd", tiny_model))
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    assert events[-1]["report"]["warnings"]
    assert set(events[-1]["report"]["warnings"]) <= set(warnings)


def test_weights_stay_loaded_between_requests(
    ct_nrrd: Path, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medenhance.tasks import denoise_ct

    loaded = []
    load = denoise_ct.load_predictor
    monkeypatch.setattr(denoise_ct, "load_predictor", lambda options: loaded.append(options) or load(options))
    asked = [
        request(ct_nrrd, tmp_path / f"{i}.nrrd", tiny_model, str(i), precision=p) for i, p in enumerate(PRECISIONS)
    ]
    events = answers(*asked)
    assert [event["event"] for event in events if event["event"] in LAST] == ["result"] * 3
    assert [options.precision for options in loaded] == ["fp32", "auto"]


PRECISIONS = ("fp32", "auto", "fp32")


def test_one_failed_request_does_not_end_the_worker(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    missing = request(tmp_path / "nothing here", tmp_path / "a.nrrd", tiny_model, "a")
    events = answers(missing, request(ct_nrrd, tmp_path / "b.nrrd", tiny_model, "b"))
    error = next(event for event in events if event["event"] == "error")
    assert (error["id"], error["kind"]) == ("a", "input-missing")
    assert "nothing here" in error["message"]
    assert error["hint"]
    assert kinds(events, "b")[-1] == "result"


def test_a_fault_of_the_program_is_an_error_event_with_a_log_file(
    ct_nrrd: Path, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Event:
        raise ZeroDivisionError("a fault")

    monkeypatch.setitem(TASKS, "denoise-ct", (DenoiseCtMessage, broken))
    error = answers(request(ct_nrrd, tmp_path / "a.nrrd", tiny_model))[-1]
    assert (error["kind"], error["event"]) == ("unexpected", "error")
    log = next((tmp_path / "model cache" / "logs").iterdir())
    assert str(log) in error["hint"]
    assert "ZeroDivisionError: a fault" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (b"{not json\n", "not JSON"),
        (b'{"id": "1", "task": "hello", "x": "\xff"}\n', "not JSON in UTF-8"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        ([1, 2], "an object was expected"),
        ({"id": "1"}, "request.task"),
        ({"id": "1", "task": "segment"}, "'segment'"),
        ({"id": 1, "task": "hello"}, "request.id"),
        ({"id": "1", "task": "hello", "extra": 1}, "request.extra"),
        ({"id": "1", "task": "denoise-ct", "input": "a"}, "request.output"),
        ({"id": "1", "task": "denoise-ct", "input": 3, "output": "b"}, "request.input"),
        ({"id": "1", "task": "denoise-ct", "input": "a", "output": "b", "options": {"stren": 1}}, "options.stren"),
        ({"id": "1", "task": "denoise-ct", "input": "a", "output": "b", "options": {"strength": "1"}}, "strength"),
        ({"id": "1", "task": "denoise-ct", "input": "a", "output": "b", "options": {"strength": True}}, "strength"),
        (b'{"id": "1", "task": "denoise-ct", "input": "a", "output": "b", "options": {"strength": NaN}}\n', "strength"),
        ({"cancel": 7}, "request.cancel"),
    ],
)
def test_a_line_that_is_no_request_is_answered_and_survived(bad: object, named: str) -> None:
    events = answers(bad, {"id": "next", "task": "hello"})
    assert (events[0]["event"], events[0]["kind"]) == ("error", "worker-protocol")
    assert named in events[0]["message"]
    assert events[-1]["id"] == "next"
    assert events[-1]["event"] == "result"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "task", "cancel", "x"]), inner),
    max_leaves=6,
)


@given(lines=st.lists(st.binary(max_size=30) | JSON.map(line), max_size=5))
def test_whatever_arrives_every_answer_is_one_line_of_json(lines: list[bytes]) -> None:
    stream = io.StringIO()
    served = Worker(EventStream(stream))
    for item in lines:
        served.accept(item)
    assert all(event["kind"] == "worker-protocol" for event in events_in(stream))


def test_an_id_in_use_is_refused_without_ending_its_owner(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    asked = request(ct_nrrd, tmp_path / "a.nrrd", tiny_model)
    events = answers(asked, asked)
    refused = next(event for event in events if event["event"] == "error")
    assert refused["id"] is None
    assert "'1' is still in use" in refused["message"]
    assert kinds(events)[-1] == "result"


def test_an_id_may_be_used_again_after_its_last_event() -> None:
    stream = io.StringIO()
    served = Worker(EventStream(stream))
    reused = line({"id": "1", "task": "hello"})
    stream_write = stream.write

    def write(text: str) -> int:
        written = stream_write(text)
        if '"result"' in text and len(events_in(stream)) < 4:
            served.accept(reused)
        return written

    stream.write = write  # type: ignore[method-assign]
    served.read(io.BytesIO(reused))
    served.work()
    assert kinds(events_in(stream)) == ["started", "result", "started", "result"]


class CancelsAtDenoise(io.StringIO):
    """A reader that asks to stop as soon as it sees the network at work."""

    worker: Worker

    def write(self, text: str) -> int:
        if '"stage": "denoise"' in text:
            self.worker.accept(line({"cancel": "1"}))
        return super().write(text)


def test_cancel_stops_a_running_request_and_leaves_nothing(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    stream = CancelsAtDenoise()
    stream.worker = Worker(EventStream(stream))
    output = tmp_path / "out" / "o.nrrd"
    asked = [request(ct_nrrd, output, tiny_model), request(ct_nrrd, tmp_path / "b.nrrd", tiny_model, "2")]
    stream.worker.read(io.BytesIO(b"".join(map(line, asked))))
    stream.worker.work()
    assert kinds(events_in(stream))[-1] == "cancelled"
    assert not output.parent.exists()
    assert kinds(events_in(stream), "2")[-1] == "result"


def test_cancel_of_a_waiting_request_answers_at_once(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    first, second = (request(ct_nrrd, tmp_path / f"{i}.nrrd", tiny_model, i) for i in "12")
    events = answers(first, second, {"cancel": "2"}, {"cancel": "of nobody"})
    assert kinds(events, "2") == ["cancelled"]
    assert events[0]["event"] == "cancelled"
    assert kinds(events, "1")[-1] == "result"
    assert not (tmp_path / "2.nrrd").exists()


def test_progress_is_sent_ten_times_a_second_with_the_time_left() -> None:
    stream, now = io.StringIO(), 0.0
    job = Job(DenoiseCtMessage("1", "denoise-ct", "a", "b"))
    progress = JobProgress(job, EventStream(stream), clock=lambda: now)
    for index in range(1001):
        now = index * 0.002
        progress.update("denoise", index / 1000)
    events = events_in(stream)
    assert 19 <= len(events) <= 22
    assert events[0]["eta_s"] is None
    for event in events[1:]:
        assert event["eta_s"] == pytest.approx(2 * (1 - event["fraction"]), abs=0.02)
    assert events[-1]["fraction"] == 1


def test_a_worker_that_nobody_hears_stops(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    served = Worker(EventStream(Closed()))
    served.read(io.BytesIO(line(request(ct_nrrd, tmp_path / "out.nrrd", tiny_model))))
    served.work()
    assert not (tmp_path / "out.nrrd").exists()


NOISY = """
import ctypes, os
from medenhance import worker
from medenhance.worker_tasks import TASKS
kind, hello = TASKS["hello"]
def noisy_hello(message, running):
    print("noise from Python")
    os.write(1, b"noise from a file descriptor")
    library = ctypes.CDLL(None)
    library.puts(b"noise from C")
    library.fflush(None)
    os.system("echo noise from a child")
    return hello(message, running)
TASKS["hello"] = kind, noisy_hello
worker.main()
"""


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, *words], stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="the C library is loaded in another way there")
def test_nothing_but_events_reaches_stdout(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    output = tmp_path / "Ausgänge 輸出" / "o.nrrd"
    lines = line({"id": "h", "task": "hello"}) + line(request(ct_nrrd, output, tiny_model))
    with running("-c", NOISY) as process:
        out, err = process.communicate(lines, timeout=60)
    events = [json.loads(text) for text in out.decode("utf-8").splitlines()]
    assert kinds(events, "h") == ["started", "result"]
    assert kinds(events)[-1] == "result"
    assert output.is_file()
    assert err.count(b"noise") == 4
    assert process.returncode == 0
    hello = next(event for event in events if event["id"] == "h" and event["event"] == "result")
    assert {"version", "protocol", "torch", "tasks", "models", "devices"} <= hello.keys()
    assert any(device["name"] == "cpu" and device["works"] for device in hello["devices"])
    assert [(model["id"], model["installed"]) for model in hello["models"] if model["id"] == tiny_model] == [
        (tiny_model, True)
    ]


PARENT = """
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-m", "medenhance", "worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
worker.stdin.write(sys.argv[1].encode() + b"\\n")
worker.stdin.flush()
while b'"denoise"' not in worker.stdout.readline():
    pass
print(worker.pid, flush=True)
worker.wait()
"""


def test_the_worker_ends_when_its_parent_is_killed(tiny_model: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    array = np.rint(generator.normal(40, 20, (400, 192, 192))).astype(np.int16)
    write_image(Volume(array), tmp_path / "long.nrrd", {})
    asked = json.dumps(request(tmp_path / "long.nrrd", tmp_path / "out.nrrd", tiny_model))
    with running("-c", PARENT, asked) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
    assert has_ended(pid, within_s=20)
    assert not (tmp_path / "out.nrrd").exists()


def has_ended(pid: int, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False
