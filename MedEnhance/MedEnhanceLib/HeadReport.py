"""What a report of "detect-hemorrhage" says, in words and rows. Notify-only: no word here calls a scan normal.

A report is that of `medenhance.head_ct.report`, as JSON.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from slicer.i18n import tr as _

# More would push the rest of the panel away; the strip marks all of them.
_MOST_DOUBTFUL = 8


def isProcessed(report: dict[str, Any]) -> bool:
    """Whether the scan passed the acceptance checks."""
    return report["status"] == "processed"


def chosenPoint(points: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The operating point of that name; the first one where there is none of that name, None without any."""
    return next((point for point in points if point["name"] == name), points[0] if points else None)


def isSuspected(report: dict[str, Any], point: dict[str, Any] | None) -> bool:
    """Whether the probability of the scan reaches an operating point; without one, what the report says."""
    findings = report["findings"]
    return findings["probability"] >= point["threshold"] if point is not None else findings["suspected"]


def verdictHtml(report: dict[str, Any], pointName: str) -> str:
    """The verdict of a report at an operating point: quality warnings first, then the notification and its reasons."""
    if not isProcessed(report):
        return notProcessedHtml(report["reason"], f"{report['triage_notice']} {report['notice']}")
    findings = report["findings"]
    point = chosenPoint(findings["operating_points"], pointName or findings["operating_point"]["name"])
    lines = [_warning(text) for text in (*_contradictions(findings), *_reservations(report))]
    lines += _notification(findings, point, isSuspected(report, point))
    lines += [f"<p><i>{escape(report['triage_notice'])} {escape(report['notice'])}</i></p>"]
    return "".join(lines)


def notProcessedHtml(reason: str, notice: str) -> str:
    """A scan of whose contents nothing can be said."""
    text = _("Nothing is said about this scan. It keeps its place and is read as every other.")
    title = _("Not processed: {reason}").format(reason=reason)
    return f"<p><b>⚠ {escape(title)}</b></p><p>{escape(text)}</p><p><i>{escape(notice)}</i></p>"


def priorityText(priority: str) -> str:
    """A class of a worklist in front of a user; no class takes a scan out of its turn downwards."""
    texts = {"critical": _("critical"), "review": _("review"), "routine": _("usual turn")}
    return texts.get(priority, priority)


@cache
def agreementText(agreement: str) -> str:
    """What probability and mask of a slice say of each other."""
    texts = {
        "both": _("probability and mask agree"),
        "neither": _("nothing suspected"),
        "mask only": _("mask without probability"),
        "probability only": _("probability without mask"),
    }
    return texts.get(agreement, agreement)


def isDoubtful(one: dict[str, Any]) -> bool:
    """Whether probability and mask of a slice contradict each other."""
    return one["agreement"] in ("mask only", "probability only")


def sliceText(one: dict[str, Any], numSlices: int) -> str:
    """What is to be said of a slice."""
    text = _("Slice {number} of {count} (from the foot): probability {p:.2f}, mask {area:.0f} mm²; {agreement}.")
    return text.format(
        number=one["number"], count=numSlices, p=one["probability"], area=one["area_mm2"],
        agreement=agreementText(one["agreement"]),
    )  # fmt: skip


def evidence(findings: dict[str, Any]) -> list[dict[str, Any]]:
    """The slices to look at: those with a contradiction first, then those that speak most for a haemorrhage."""
    byIndex = {one["index"]: one for one in findings["slices"]}
    wanted = dict.fromkeys([*findings["disagreements"][:_MOST_DOUBTFUL], *findings["top_slices"]])
    return [byIndex[index] for index in wanted if index in byIndex]


def evidenceRows(slices: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Number, probability, area and what is to be noted, of slices."""
    return [
        (
            str(one["number"]),
            f"{one['probability']:.2f}",
            f"{one['area_mm2']:.0f}",
            f"⚠ {agreementText(one['agreement'])}" if isDoubtful(one) else agreementText(one["agreement"]),
        )
        for one in slices
    ]


def pointRows(points: list[dict[str, Any]], chosen: dict[str, Any] | None) -> list[tuple[str, ...]]:
    """Name, threshold, sensitivity and specificity of operating points; the chosen one is marked."""
    return [
        (
            ("▸ " if point is chosen else "") + point["name"],
            f"{point['threshold']:.2f}",
            f"{point['sensitivity']:.1%}",
            f"{point['specificity']:.1%}",
        )
        for point in points
    ]


def _notification(findings: dict[str, Any], point: dict[str, Any] | None, isFlagged: bool) -> list[str]:
    if isFlagged:
        title, rest = _("Notification: haemorrhage suspected"), ""
    else:
        title = _("No notification at this operating point")
        rest = _("This is no all-clear: the scan is read in full, in its usual turn.")
    colour = "#d63c30" if isFlagged else "#808080"
    words = [_("Probability {p:.2f}").format(p=findings["probability"])]
    if point is not None:
        text = _("operating point {name} notifies from {threshold:.2f}")
        words.append(text.format(name=point["name"], threshold=point["threshold"]))
    lines = [f"<p style='font-size:large'><b><span style='color:{colour}'>■</span> {escape(title)}</b></p>"]
    lines.append(f"<p>{escape('; '.join(words))}. {escape(rest)}</p>")
    return [*lines, f"<p>{escape(_placeText(findings, point))}</p>"]


def _placeText(findings: dict[str, Any], point: dict[str, Any] | None) -> str:
    """The class in a worklist, which was given at the operating point of the run."""
    ofRun = findings["operating_point"]["name"]
    if point is None or point["name"] == ofRun:
        text = _("Place in a worklist: {priority}.").format(priority=priorityText(findings["priority"]))
    else:
        text = _("Place in a worklist, at the operating point {name} of the run: {priority}.")
        text = text.format(name=ofRun, priority=priorityText(findings["priority"]))
    return " ".join([text, *findings["priority_reasons"]])


def _reservations(report: dict[str, Any]) -> list[str]:
    """What the acceptance checks had to say against the scan."""
    return [check["message"] for check in report["checks"] if check["outcome"] == "warning"]


def _contradictions(findings: dict[str, Any]) -> list[str]:
    """What speaks against the result from within: its two halves do not say the same."""
    found = []
    if findings["scan_disagrees"]:
        found.append(_("The probability of the scan and its mask contradict each other: look at both."))
    count = len(findings["disagreements"])
    if count:
        text = _(
            "In {n} of {all} slices probability and mask contradict each other: marked in the strip, first in its list."
        )
        found.append(text.format(n=count, all=len(findings["slices"])))
    return found


def _warning(text: str) -> str:
    return f"<p>⚠ {escape(text)}</p>"
