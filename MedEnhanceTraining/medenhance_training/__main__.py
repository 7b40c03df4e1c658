"""The command `medenhance-train`. Nothing heavy is imported before its subcommand is known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from medenhance.errors import MedEnhanceError

USAGE = """usage: medenhance-train COMMAND ...

Trains, evaluates and publishes the networks of MedEnhance. Research use only.

commands:
  recipes                  list what can be trained
  simulate low-dose-ct     make low-dose training data from normal-dose studies
  fit RECIPE               train; `fit RECIPE --help` lists every setting
  evaluate                 measure a trained network on whole studies
  export                   turn a run into weights and a manifest entry
  benchmark low-dose-ct    one table: classical methods and networks on held-out slices

`medenhance-train COMMAND --help` says more about each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, 1 for an error that a message explains, 2 for a command that does not exist.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    command = _command(arguments)
    if command is None:
        print(f"medenhance-train: unknown command {' '.join(arguments[:2])!r}\n\n{USAGE}", file=sys.stderr)
        return 2
    run, words = command
    try:
        run(arguments[words:])
    except MedEnhanceError as error:
        print(f"medenhance-train: {error}", file=sys.stderr)
        return 1
    return 0


def _command(arguments: list[str]) -> tuple[Callable[[list[str]], None], int] | None:
    """The longest command that the arguments begin with, and how many words it has."""
    for words in (2, 1):
        name = " ".join(arguments[:words])
        if name in COMMANDS:
            return COMMANDS[name], words
    return None


def _recipes(arguments: list[str]) -> None:
    if arguments:
        raise MedEnhanceError("bad-option", f"recipes takes no arguments, not {arguments}.")
    from medenhance_training.commands.recipes import recipe_lines

    print("\n".join(recipe_lines()))


def _fit(arguments: list[str]) -> None:
    if not arguments or arguments[0].startswith("-"):
        print("usage: medenhance-train fit RECIPE [settings]\n\nRecipes:")
        _recipes([])
        return
    import tyro

    from medenhance_training.commands.fit import fit
    from medenhance_training.config import RunConfig
    from medenhance_training.recipes import recipe

    name = arguments[0]
    fit(tyro.cli(RunConfig, default=recipe(name), args=arguments[1:], prog=f"medenhance-train fit {name}"))


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "recipes": _recipes,
    "fit": _fit,
}

if __name__ == "__main__":
    sys.exit(main())
