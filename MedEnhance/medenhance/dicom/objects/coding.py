"""Our codes in the forms that highdicom takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medenhance.dicom.objects.codes import Code
from medenhance.dicom.objects.content import NOTICE, Algorithm

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept


def concept(code: Code) -> CodedConcept:
    """As a coded concept."""
    from highdicom.sr import CodedConcept as Concept

    return Concept(code.value, code.scheme, code.meaning)


def with_notice(text: str, length: int) -> str:
    """The notice and as much of a text as fits, in at most ``length`` characters."""
    return f"{NOTICE}: {text}"[:length]


def parameter_texts(algorithm: Algorithm) -> list[str]:
    """What tells one run of an algorithm from another, one line each."""
    return [f"{name} = {value}" for name, value in parameters(algorithm)]


def parameters(algorithm: Algorithm) -> Iterable[tuple[str, str]]:
    """Names and values, in a fixed order."""
    if algorithm.weights_sha256:
        yield "weights sha256", algorithm.weights_sha256
    if algorithm.edited:
        yield "edited", "by a person"
    yield from sorted(algorithm.parameters.items())
