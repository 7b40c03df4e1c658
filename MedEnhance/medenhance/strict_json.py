"""Dataclasses to JSON values and back, with nothing guessed: an unknown key, a missing key or a wrong type is an error.

Field types may be str, int, float, bool, None, Any, Literal, unions of these, tuple, list, dict with str keys, and
other dataclasses. JSON arrays become tuples where the field says so; a whole number is accepted where a float stands.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class SchemaError(ValueError):
    """A JSON value that does not fit its type.

    Args:
        path: Where, such as ``models[0].files[1].sha256``.
        problem: What is wrong there, with the offending value.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def from_json(kind: type[T], value: Any, path: str = "value") -> T:
    """Build the dataclass ``kind`` from the JSON object ``value``.

    Args:
        kind: A dataclass.
        value: What ``json.loads`` gave.
        path: Name of ``value`` in messages.

    Raises:
        SchemaError: A key is unknown or missing, or a value has another type.
    """
    if not isinstance(value, dict):
        raise SchemaError(path, f"an object was expected, not {_shown(value)}")
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for key in value:
        if key not in fields:
            raise SchemaError(f"{path}.{key}", f"unknown key; accepted here: {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in value and _required(field)]
    if missing:
        raise SchemaError(f"{path}.{missing[0]}", "this key is missing")
    hints = get_type_hints(kind)
    return kind(**{key: _parsed(hints[key], item, f"{path}.{key}") for key, item in value.items()})


def to_json(value: Any) -> Any:
    """The JSON value of a dataclass, or of anything that its fields hold; tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _parsed(kind: Any, value: Any, path: str) -> Any:
    if kind is Any:
        return _plain(value, path)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_json(kind, value, path)
    origin = get_origin(kind)
    if origin in _PARSERS:
        return _PARSERS[origin](kind, value, path)
    return _scalar(kind, value, path)


def _scalar(kind: Any, value: Any, path: str) -> Any:
    """A str, int, float, bool or None; bool is not taken for a number, nor a number for a bool."""
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if type(value) not in accepted:
        raise SchemaError(path, f"{_named(kind)} was expected, not {_shown(value)}")
    if kind is not float:
        return value
    if not math.isfinite(value):
        raise SchemaError(path, f"a finite number was expected, not {value}")
    return float(value)


def _literal(kind: Any, value: Any, path: str) -> Any:
    for accepted in get_args(kind):
        if type(value) is type(accepted) and value == accepted:
            return value
    raise SchemaError(path, f"one of {', '.join(map(repr, get_args(kind)))} was expected, not {_shown(value)}")


def _union(kind: Any, value: Any, path: str) -> Any:
    """The first member that accepts the value; a lone member beside None gives its own, more precise message."""
    members = [member for member in get_args(kind) if member is not type(None)]
    if value is None and len(members) < len(get_args(kind)):
        return None
    if len(members) == 1:
        return _parsed(members[0], value, path)
    for member in members:
        try:
            return _parsed(member, value, path)
        except SchemaError:
            continue
    raise SchemaError(path, f"{' or '.join(map(_named, get_args(kind)))} was expected, not {_shown(value)}")


def _tuple(kind: Any, value: Any, path: str) -> tuple[Any, ...]:
    items = _array(value, path)
    members = get_args(kind)
    if len(members) == 2 and members[1] is Ellipsis:
        members = (members[0],) * len(items)
    if len(items) != len(members):
        raise SchemaError(path, f"{len(members)} items were expected, not {len(items)}")
    return tuple(
        _parsed(member, item, f"{path}[{i}]") for i, (member, item) in enumerate(zip(members, items, strict=True))
    )


def _list(kind: Any, value: Any, path: str) -> list[Any]:
    (member,) = get_args(kind)
    return [_parsed(member, item, f"{path}[{i}]") for i, item in enumerate(_array(value, path))]


def _dict(kind: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SchemaError(path, f"an object was expected, not {_shown(value)}")
    return {key: _parsed(get_args(kind)[1], item, f"{path}.{key}") for key, item in value.items()}


def _array(value: Any, path: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise SchemaError(path, f"an array was expected, not {_shown(value)}")
    return value


def _plain(value: Any, path: str) -> Any:
    """``value`` itself after a check that all of it is JSON, with finite numbers."""
    if isinstance(value, dict):
        return {_scalar(str, key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise SchemaError(path, f"a finite number was expected, not {value}")
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise SchemaError(path, f"a JSON value was expected, not {_shown(value)}")
    return value


def _named(kind: Any) -> str:
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return names.get(kind, str(kind))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_PARSERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    Literal: _literal,
    Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
    list: _list,
    dict: _dict,
}
