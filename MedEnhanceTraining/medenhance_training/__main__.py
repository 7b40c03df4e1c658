"""The command line: `medenhance-train` and `python -m medenhance_training`.

Nothing heavy is imported before it is known which command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from medenhance_training import __version__

Words = list[str]
Parameters = TypeVar("Parameters")

USAGE_ERROR = 2


@dataclass(frozen=True)
class Command:
    """A command of one or two words.

    Attributes:
        summary: Its line in the overview.
        run: Reads the words after its own, does it, and returns the exit status.
    """

    summary: str
    run: Callable[[Words], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words after the program's name; those of this process when None.

    Returns:
        The exit status: 0 for success, 1 for an error, 2 for a command that does not exist, 130 when cancelled.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["-V"]):
        print(f"medenhance-train {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in COMMANDS:
            return _guarded(COMMANDS[name], words[length:])
    print(f"medenhance-train has no command {' '.join(words[:2])!r}.\n\n{overview()}", file=sys.stderr)
    return USAGE_ERROR


def overview() -> str:
    """What commands there are, one line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            f"MedEnhance training {__version__}: train, evaluate and publish networks. Research use only.",
            "",
            "usage: medenhance-train COMMAND ...",
            "",
            *lines,
            "",
            "`medenhance-train COMMAND --help` explains a command.",
        ]
    )


def _guarded(command: Command, words: Words) -> int:
    """Run a command; whatever goes wrong becomes words on stderr and an exit status."""
    from medenhance.__main__ import guarded
    from medenhance.terminal import stop_cleanly_when_terminated, use_utf8

    use_utf8()
    stop_cleanly_when_terminated()
    return guarded(lambda: command.run(words))


def _parse(parameters: type[Parameters], name: str, words: Words, default: Any = None) -> Parameters:
    import tyro

    settings = {} if default is None else {"default": default}
    parsed: Parameters = tyro.cli(parameters, prog=f"medenhance-train {name}", args=words, **settings)
    return parsed


def _recipes(words: Words) -> int:
    from medenhance.errors import MedEnhanceError
    from medenhance_training.commands.recipes import recipe_lines

    if words and words[0] not in ("-h", "--help"):
        raise MedEnhanceError("bad-option", f"recipes takes no arguments, not {' '.join(words)!r}.")
    print("\n".join(recipe_lines()))
    return 0


def _fit(words: Words) -> int:
    if not words or words[0].startswith("-"):
        print("usage: medenhance-train fit RECIPE [settings]\n\nRecipes:\n")
        return _recipes([])
    from medenhance_training.commands.fit import fit
    from medenhance_training.config import RunConfig
    from medenhance_training.recipes import recipe

    fit(_parse(RunConfig, f"fit {words[0]}", words[1:], default=recipe(words[0])))
    return 0


def _index(words: Words) -> int:
    from medenhance.terminal import TerminalProgress
    from medenhance_training.commands.index import MakeIndex, make_index_file

    parameters = _parse(MakeIndex, "index", words)
    with TerminalProgress() as progress:
        summary = make_index_file(parameters, progress)
    print(summary)
    return 0


def _index_head(words: Words) -> int:
    from medenhance.terminal import TerminalProgress
    from medenhance_training.commands.index_head import IndexHeadCt, index_head_ct

    parameters = _parse(IndexHeadCt, "index head-ct", words)
    with TerminalProgress() as progress:
        summary = index_head_ct(parameters, progress)
    print(summary)
    return 0


def _simulate(words: Words) -> int:
    from medenhance.terminal import TerminalProgress
    from medenhance_training.commands.simulate import SimulateLowDoseCt, simulate_low_dose_ct

    parameters = _parse(SimulateLowDoseCt, "simulate low-dose-ct", words)
    with TerminalProgress() as progress:
        written = simulate_low_dose_ct(parameters, progress)
    print("\n".join(map(str, written)))
    return 0


def _simulate_spine(words: Words) -> int:
    from medenhance.terminal import TerminalProgress
    from medenhance_training.commands.simulate_spine import SimulateSpineUltrasound, simulate_spine_ultrasound

    parameters = _parse(SimulateSpineUltrasound, "simulate spine-ultrasound", words)
    with TerminalProgress() as progress:
        lines = simulate_spine_ultrasound(parameters, progress)
    print("\n".join(lines))
    return 0


def _simulate_head(words: Words) -> int:
    from medenhance.terminal import TerminalProgress
    from medenhance_training.commands.simulate_head import SimulateHeadCt, simulate_head_ct

    parameters = _parse(SimulateHeadCt, "simulate head-ct", words)
    with TerminalProgress() as progress:
        lines = simulate_head_ct(parameters, progress)
    print("\n".join(lines))
    return 0


def _evaluate(words: Words) -> int:
    from medenhance_training.commands.evaluate import Evaluate, run

    return run(_parse(Evaluate, "evaluate", words))


def _export(words: Words) -> int:
    from medenhance_training.commands.export import Export, run

    return run(_parse(Export, "export", words))


def _benchmark(words: Words) -> int:
    from medenhance_training.commands.benchmark import BenchmarkLowDoseCt, run

    return run(_parse(BenchmarkLowDoseCt, "benchmark low-dose-ct", words))


def _benchmark_spine(words: Words) -> int:
    from medenhance_training.commands.benchmark_spine import BenchmarkSpineUltrasound, run

    return run(_parse(BenchmarkSpineUltrasound, "benchmark spine-ultrasound", words))


def _benchmark_head(words: Words) -> int:
    from medenhance_training.commands.benchmark_head import BenchmarkHeadCt, run

    return run(_parse(BenchmarkHeadCt, "benchmark head-ct", words))


def _check_table(words: Words) -> int:
    from medenhance_training.commands.check_table import CheckTable, run

    return run(_parse(CheckTable, "check-table", words))


def _size_shift(words: Words) -> int:
    from medenhance_training.commands.benchmark import BenchmarkSizeShift, run_size_shift

    return run_size_shift(_parse(BenchmarkSizeShift, "benchmark size-shift", words))


COMMANDS = {
    "recipes": Command("List what can be trained.", _recipes),
    "index": Command("Find, pair and hash the images of a data set, to train on them.", _index),
    "index head-ct": Command("Find the scans of a public head CT set, with their truth and split.", _index_head),
    "simulate low-dose-ct": Command("Add the noise of a lower dose to a normal-dose CT study.", _simulate),
    "simulate spine-ultrasound": Command("Simulate spine ultrasound with known truth.", _simulate_spine),
    "simulate head-ct": Command("Simulate head CT with bleeds and known truth.", _simulate_head),
    "fit": Command("Train: fit RECIPE; `fit RECIPE --help` lists every setting.", _fit),
    "evaluate": Command("Measure a run, a weights file or a model on held-out slices.", _evaluate),
    "export": Command("Turn a run into weights, a manifest entry and a model card.", _export),
    "benchmark low-dose-ct": Command("Compare classical methods and networks in one table.", _benchmark),
    "benchmark spine-ultrasound": Command("Compare fills and networks on simulated projections.", _benchmark_spine),
    "benchmark head-ct": Command("Compare detectors of haemorrhage on simulated scans.", _benchmark_head),
    "check-table": Command("Check published figures against one another.", _check_table),
    "benchmark size-shift": Command("Show whether CT numbers depend on the size of the image.", _size_shift),
}


if __name__ == "__main__":
    sys.exit(main())
