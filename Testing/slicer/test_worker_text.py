"""Bytes become lines and log text whatever way they are cut, and never fill the memory."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from MedEnhanceLib.LineBuffer import LineBuffer
from MedEnhanceLib.WorkerLog import MAX_LINE, WorkerLog


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))),
    st.lists(st.integers(0, 200)),
)
def test_lines_do_not_depend_on_how_the_bytes_were_cut(texts: list[str], cuts: list[int]) -> None:
    data = "".join(f"{text}\n" for text in texts).encode()
    buffer = LineBuffer()
    assert [line for piece in pieces(data, cuts) for line in buffer.feed(piece)] == texts
    assert buffer.rest() == []


def test_the_last_line_needs_no_end_and_windows_ends_are_taken_off() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"a\r\nb") == ["a"]
    assert buffer.rest() == ["b"]
    assert buffer.rest() == []


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    assert LineBuffer().feed(b"\xff\xfe\x00\n") == ["\ufffd\ufffd\x00"]


def test_a_line_that_would_fill_the_memory_is_left_out() -> None:
    buffer = LineBuffer(maxBytes=10)
    assert buffer.feed(b"x" * 8) == []
    assert buffer.feed(b"x" * 8) == []
    assert buffer.feed(b"x\ngood\n") == ["(a line of 17 bytes was left out)", "good"]


@given(st.lists(st.text(max_size=20)))
def test_log_text_can_always_be_written(texts: list[str]) -> None:
    log = WorkerLog(5)
    for text in texts:
        log.append(text)
    assert len(log.text().encode("utf-8").split(b"\n")) <= 6


def test_a_log_keeps_the_last_lines() -> None:
    log = WorkerLog(3)
    log.append("a\nb\nc\nd")
    assert log.text() == "a\nb\nc\nd"
    log.append("e\nf\n")
    assert log.text() == "c\nde\nf"
    log.clear()
    assert log.text() == ""


def test_a_progress_bar_is_one_line_and_a_long_line_is_shortened() -> None:
    log = WorkerLog()
    log.append("\r".join(f"{i} %" for i in range(100)) + "\r\n")
    assert log.text() == "99 %"
    log.clear()
    for _ in range(100):
        log.append("x" * 1000)
    assert len(log.text()) < MAX_LINE + 10


def test_a_line_of_our_own_begins_a_line() -> None:
    log = WorkerLog()
    log.append("open")
    log.appendLine("the worker was killed")
    assert log.text() == "open\nthe worker was killed"
