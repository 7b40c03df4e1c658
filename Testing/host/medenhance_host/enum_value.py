"""Enums as PythonQt has them: numbers with a name."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any


class EnumValue(int):
    """An enum or flag value: an int, as in PythonQt."""

    member: Any

    def __new__(cls, member: enum.Enum) -> EnumValue:
        value = super().__new__(cls, member.value)
        value.member = member
        return value

    def __or__(self, other: int) -> int:
        return self._combined(other, lambda a, b: a | b)

    def __and__(self, other: int) -> int:
        return self._combined(other, lambda a, b: a & b)

    __ror__ = __or__
    __rand__ = __and__

    def _combined(self, other: int, operate: Callable[[Any, Any], Any]) -> int:
        if isinstance(other, EnumValue) and isinstance(self.member, enum.Flag):
            return EnumValue(operate(self.member, other.member))
        return operate(int(self), int(other))

    def __repr__(self) -> str:
        return f"{type(self.member).__name__}.{self.member.name}"

    __str__ = __repr__


class EnumClass:
    """A named enum of a class, such as ``qt.QProcess.ExitStatus``; callable with an int."""

    def __init__(self, meta: enum.EnumMeta) -> None:
        self._meta = meta

    def __call__(self, value: int) -> EnumValue:
        return EnumValue(self._meta(int(value)))

    def __getattr__(self, name: str) -> EnumValue:
        try:
            return EnumValue(self._meta[name])
        except KeyError:
            raise AttributeError(f"{self._meta.__name__} has no attribute named '{name}'") from None
