"""Trains the tiny runs of `test_two_processes`; started under torchrun with the number of processes and a folder."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from tiny_runs import LOOP, adversarial, supervised

from medenhance_training.commands.fit import fit

SHORT = replace(LOOP, samples=12, log_every_samples=4)


def main(processes: int, folder: Path) -> None:
    """Train both kinds, without dropout: masks are drawn by each process for its own share of the batch."""
    for config in (
        supervised(folder / "supervised", loop=SHORT),
        adversarial(folder / "adversarial", dropout=0.0, loop=SHORT),
    ):
        fit(replace(config, devices=processes, accelerator="cpu"))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
