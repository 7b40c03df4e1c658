"""The volumes of a suspected haemorrhage as rows of a table, and what is said below it.

What is shown here are "findings" of `medenhance.head_ct.report` as JSON: those of the run, or those of the mask as
somebody has edited it since.
"""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _


def headings() -> list[str]:
    """Of the table, in two lines each: a panel is narrow."""
    return [_("Part"), _("Volume, mL\n(half a voxel)"), _("ABC/2,\nmL"), _("Longest,\nmm"), _("Mean,\nHU")]


def volumeRows(findings: dict[str, Any]) -> list[tuple[str, ...]]:
    """Total, hemispheres, pieces."""
    whole = findings["abc2_ml"]
    rows = [(_("Total"), figure(findings["total"]), number(whole), "", "")]
    for name, key in ((_("Left"), "left_ml"), (_("Right"), "right_ml")):
        if findings[key] is not None:
            rows.append((name, number(findings[key], 2), "", "", ""))
    rows += [_pieceRow(one, findings) for one in findings["components"]]
    if findings["num_small"]:
        text = _("{n} below {limit:g} mL").format(n=findings["num_small"], limit=findings["small_below_ml"])
        rows.append((text, number(findings["small_ml"], 2), "", "", ""))
    return rows


def pieceOfRow(findings: dict[str, Any], row: int) -> dict[str, Any] | None:
    """The piece that a row of the table stands for."""
    before = 1 + sum(findings[key] is not None for key in ("left_ml", "right_ml"))
    pieces = findings["components"]
    return pieces[row - before] if 0 <= row - before < len(pieces) else None


def shownSlice(piece: dict[str, Any]) -> int:
    """The slice to show of a piece, by its index: that with its largest section, else the middle one."""
    return piece["abc2"]["slice_index"] if piece["abc2"] is not None else sum(piece["slices"]) // 2


def remarks(findings: dict[str, Any]) -> list[str]:
    """Midline, growth and what the figures are, one sentence each."""
    lines = []
    true = findings.get("true_volume")  # a scene saved by an earlier version has none
    if true is not None:
        text = _("True volume {low:.1f} to {high:.1f} mL in {share:.0%} of scans with blood and such masks ({scans}).")
        lines.append(
            text.format(share=true["share"], low=true["low_ml"], high=true["high_ml"], scans=true["measured_on"])
        )
    shift = findings["midline_shift"]
    if shift is not None:
        side = _("left") if shift["towards"] == "left" else _("right")
        text = _("Midline shift about {mm:.1f} mm to the {side}: an estimate, to be measured by hand.")
        lines.append(text.format(mm=shift["mm"], side=side))
    if findings["midsagittal"] is None:
        lines.append(_("The plane between the hemispheres was not found: no volumes by side."))
    growth = findings["growth"]
    if growth is not None:
        text = _("Before: {prior:.1f} mL, change {change:+.1f} mL.")
        lines.append(text.format(prior=growth["prior_ml"], change=growth["change_ml"]))
    if findings["abc2_ml"] is not None:
        text = _("ABC/2 is {difference:+.1f} mL against the mask.")
        lines.append(text.format(difference=findings["abc2_ml"] - findings["total"]["ml"]))
    return lines


def figure(volume: dict[str, Any]) -> str:
    """A volume with what half a voxel at its border is worth."""
    if volume["low_ml"] is None:  # counted, not measured yet
        return f"{volume['ml']:.2f}"
    return f"{volume['ml']:.2f}\n({volume['low_ml']:.2f} to {volume['high_ml']:.2f})"


def number(value: float | None, digits: int = 1) -> str:
    """A number, or nothing."""
    return "" if value is None else f"{value:.{digits}f}"


def _pieceRow(one: dict[str, Any], findings: dict[str, Any]) -> tuple[str, ...]:
    numbers = {slice_["index"]: slice_["number"] for slice_ in findings["slices"]}
    first, last = (numbers.get(index, index) for index in one["slices"])
    sides = {"left": _("left"), "right": _("right"), "midline": _("both sides"), None: ""}
    text = _("{n}: {side}\nslices {first} to {last}").format(
        n=one["number"], side=sides[one["side"]], first=first, last=last
    )
    ellipsoid = one["abc2"]["ml"] if one["abc2"] is not None else None
    return (
        text,
        figure(one["volume"]),
        number(ellipsoid),
        number(one["max_diameter_mm"], 0),
        f"{one['mean_hu']:.0f} ± {one['sd_hu']:.0f}",
    )
