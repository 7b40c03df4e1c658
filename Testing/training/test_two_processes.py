"""Two processes that share each batch end with the weights of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_runs import state_of
from two_processes_main import main

from medenhance_training.log import read_metrics

MAIN = Path(__file__).with_name("two_processes_main.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same runs by one process, under "one", and by two, under "two"."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*TORCHRUN, str(MAIN), "2", str(folder / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    main(1, folder / "one")
    return folder


@pytest.mark.parametrize("kind", ["supervised", "adversarial"])
def test_two_processes_equal_one(folder: Path, kind: str) -> None:
    one, two = state_of(folder / "one" / kind), state_of(folder / "two" / kind)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        # Only the order of float32 sums differs. Adam divides by moments near zero, which magnifies that to a
        # thousandth of a step (the rate is 1e-3); the moments themselves are compared by their own size.
        tolerance = 2e-4 * float(tensor.double().abs().max()) if "/optimizers/" in name else 1e-6
        torch.testing.assert_close(two[name], tensor, rtol=0.0, atol=tolerance, msg=name)


@pytest.mark.parametrize("kind", ["supervised", "adversarial"])
def test_the_first_process_logs_the_means_over_both(folder: Path, kind: str) -> None:
    one, two = read_metrics(folder / "one" / kind), read_metrics(folder / "two" / kind)
    assert [entry["samples"] for entry in one] == [entry["samples"] for entry in two] == [4, 8, 12, 12]
    for entry, other in zip(one, two, strict=True):
        assert entry | {"seconds": 0.0} == pytest.approx(other | {"seconds": 0.0}, rel=1e-3)
