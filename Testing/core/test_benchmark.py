"""The benchmark counts and compares rightly, and memory does not grow by more than the study."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medenhance import memory_benchmark
from medenhance.__main__ import main
from medenhance.benchmark import measure_speed, medians_in_turns, multiply_adds, square
from medenhance.commands.benchmark import memory_lines, speed_table
from medenhance.memory import peak_memory_bytes
from medenhance.memory_benchmark import MemoryReport, measure_memory
from medenhance.networks import build
from medenhance.progress import Silent


def test_multiply_adds_are_those_counted_by_hand() -> None:
    config = {"channels": 4, "kernel": 3, "depth": 2, "padding": "same"}
    network = build("redcnn", config)
    # Two convolutions 1 -> 4 -> 4 and two transposed ones 4 -> 4 -> 1 with 3 x 3 kernels, at every pixel.
    by_hand = (1 * 4 + 4 * 4 + 4 * 4 + 4 * 1) * 9 * 20 * 30
    assert multiply_adds(network, torch.zeros(1, 1, 20, 30)) == by_hand


def test_medians_leave_the_first_run_out_and_measure_each_work() -> None:
    waits = iter([0.2, 0.01, 0.05, 0.01])
    slow, fast = medians_in_turns([lambda: time.sleep(next(waits)), lambda: None], repeats=3)
    assert 0.01 <= slow < 0.05
    assert fast < 0.005


@pytest.mark.parametrize("shape", [(512, 512), (600, 513), (300, 512), (200, 700)])
def test_a_slice_of_any_size_becomes_512_by_512(shape: tuple[int, int]) -> None:
    hu = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    squared = square(hu)
    assert squared.shape == (512, 512)
    assert np.isin(squared, hu).all()
    if min(shape) >= 512:
        top, left = ((size - 512) // 2 for size in shape)
        np.testing.assert_array_equal(squared, hu[top : top + 512, left : left + 512])


@pytest.fixture(scope="module")
def hu() -> np.ndarray:
    return np.random.default_rng(0).normal(40, 20, (512, 512)).astype(np.float32)


def test_speed_is_measured_for_installed_models(tiny_model: str, hu: np.ndarray) -> None:
    report = measure_speed(hu, "noise", repeats=1, device="cpu", progress=Silent(), only=(tiny_model,))
    (speed,) = report.models
    assert speed.model == tiny_model
    assert speed.speedup == pytest.approx(speed.eager_s / speed.ours_s)
    rate = report.matmul_gflops[speed.precision] * 1e9
    assert speed.bound_s == pytest.approx(2 * speed.multiply_adds / rate)
    assert 0 < speed.rms_from_fp32_hu < 5 if speed.precision == "bf16" else speed.rms_from_fp32_hu < 1e-3
    text = "\n".join(speed_table(report))
    assert tiny_model in text
    assert "matrix product: " in text
    assert "non-local means" in text


def test_the_command_prints_json(tiny_model: str, ct_nrrd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["benchmark", "--model", tiny_model, "--input", str(ct_nrrd), "--repeats", "1", "--device", "cpu", "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert [speed["model"] for speed in report["models"]] == [tiny_model]
    assert "ct.nrrd" in report["slice"]


def test_a_model_that_is_not_installed_is_named(
    tiny_model: str, ct_nrrd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "--model", "nobody", "--input", str(ct_nrrd)]) == 1
    err = capsys.readouterr().err
    assert "'nobody'" in err
    assert tiny_model in err


def test_no_repeats_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--repeats", "0"]) == 1
    assert "0 repeats" in capsys.readouterr().err


def test_the_peak_grows_with_what_is_held() -> None:
    code = "from medenhance.memory import peak_memory_bytes as p; a = p(); b = bytearray(300 << 20); print(a, p())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after - before == pytest.approx(300 << 20, rel=0.02)
    if sys.platform == "linux":  # what this large process holds is no part of the child's peak
        assert before < 100 << 20 < peak_memory_bytes()


def test_memory_grows_by_no_more_than_input_and_output(tiny_model: str) -> None:
    report = measure_memory(tiny_model, Silent(), num_slices=(16, 120), side_px=256)
    assert report.allowed_bytes == 120 * 256 * 256 * 2 * 2
    assert report.growth_bytes <= report.allowed_bytes, "\n".join(memory_lines(report))


def test_memory_that_grows_too_much_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = MemoryReport((60, 600), 512, (500 << 20, 1000 << 20), (50 << 20, 500 << 20))
    for report, status in ((fine, 0), (replace(fine, peak_bytes=(500 << 20, 1001 << 20)), 1)):
        monkeypatch.setattr(memory_benchmark, "measure_memory", lambda *_, report=report: report)
        assert main(["benchmark", "--memory"]) == status
    assert "the peak grew by 501 MiB, of 500 MiB that input and output may take" in capsys.readouterr().out
