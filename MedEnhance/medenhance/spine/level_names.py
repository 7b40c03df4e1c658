"""Names of vertebral levels: assumed ones, counted from the lowest level that has transverse processes and ribs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

ThoracicEnd = Literal["T11", "T12"]
_THORACIC = [f"T{n}" for n in range(1, 13)]
_LUMBAR = ["L1", "L2", "L3", "L4", "L5", "S1"]
NOTICE = "Level names are assumed: they are counted from the lowest thoracic processes found, taken as {end}."


def level_names(lumbar: Sequence[bool], end: ThoracicEnd = "T12") -> list[str]:
    """Name levels from head to feet (spec section 6.3, step 8).

    Args:
        lumbar: For each level, whether it is of the lumbar part.
        end: What the lowest thoracic level is taken to be.

    Returns:
        A name a level, all different; above T1 and below S1 a number tells how far.
    """
    num_thoracic = sum(not one for one in lumbar)
    upper, lower = _THORACIC[: _THORACIC.index(end) + 1], _THORACIC[_THORACIC.index(end) + 1 :] + _LUMBAR
    names = [upper[-k] if k <= len(upper) else f"T1-{k - len(upper)}" for k in range(num_thoracic, 0, -1)]
    below = len(lumbar) - num_thoracic
    return names + [lower[k] if k < len(lower) else f"S1+{k - len(lower) + 1}" for k in range(below)]
