"""`medenhance-train recipes`: what can be trained, one line each."""

from __future__ import annotations

import inspect

from medenhance_training.recipes import RECIPES


def recipe_lines() -> list[str]:
    """Name and first sentence of every recipe."""
    width = max(map(len, RECIPES))
    return [f"{name:<{width}}  {_first_line(function)}" for name, function in RECIPES.items()]


def _first_line(function: object) -> str:
    return (inspect.getdoc(function) or "").split("\n", 1)[0]
