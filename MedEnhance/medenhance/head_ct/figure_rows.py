"""What the tables of the figure say, as text."""

from __future__ import annotations

from medenhance.head_ct.report import Component, Findings

_NONE = "\N{EN DASH}"
_MOST = 4
COLUMNS = (  # right end of a column in the table's width, heading
    (0.0, "Piece (slices)"),
    (0.24, "mL"),
    (0.42, "range"),
    (0.56, "ABC/2 mL"),
    (0.68, "side"),
    (0.84, "diameter mm"),
    (1.0, "mean HU"),
)


def summary_rows(found: Findings) -> list[tuple[str, str]]:
    """Name and value of what holds for the whole scan."""
    total = found.total
    rows = [
        ("Volume", f"{total.ml:.1f} mL  ({total.low_ml:.1f} to {total.high_ml:.1f}, border half a voxel in or out)")
    ]
    if found.true_volume is not None:
        rows.append(("True volume", str(found.true_volume)))
    if found.abc2_ml is not None:
        rows.append(("ABC/2", f"{found.abc2_ml:.1f} mL  ({found.abc2_ml - total.ml:+.1f} against the mask)"))
    if found.left_ml is not None and found.right_ml is not None:
        rows.append(("Hemispheres", f"left {found.left_ml:.1f} mL, right {found.right_ml:.1f} mL"))
    shift = found.midline_shift
    rows.append(("Midline", "not measured" if shift is None else f"about {shift.mm:.1f} mm to the {shift.towards}"))
    if found.growth is not None:
        rows.append(("Growth", f"{found.growth.change_ml:+.1f} mL since {found.growth.prior_ml:.1f} mL"))
    return rows


def component_rows(found: Findings) -> list[tuple[str, ...]]:
    """The largest pieces, a row each below `COLUMNS`, and a row on the rest."""
    shown = found.components[:_MOST]
    rows = [_row(one) for one in shown]
    rest = len(found.components) - len(shown) + found.num_small
    if rest:
        ml = sum(one.volume.ml for one in found.components[_MOST:]) + found.small_ml
        rows.append((f"{rest} more", f"{ml:.2f}", *(_NONE,) * (len(COLUMNS) - 2)))
    return rows


def _row(one: Component) -> tuple[str, ...]:
    first, last = (index + 1 for index in one.slices)
    where = f"{one.number}  ({first} to {last})" if first != last else f"{one.number}  ({first})"
    return (
        where,
        f"{one.volume.ml:.2f}",
        f"{one.volume.low_ml:.1f} to {one.volume.high_ml:.1f}",
        _NONE if one.abc2 is None else f"{one.abc2.ml:.1f}",
        one.side or _NONE,
        f"{one.max_diameter_mm:.0f}",
        f"{one.mean_hu:.0f}",
    )
