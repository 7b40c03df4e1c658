"""A model's card as rich text, for people: what it was trained on, how it was measured, where it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from slicer.i18n import tr as _

from medenhance.manifest import ModelEntry


def cardHtml(entry: ModelEntry, seconds: str = "") -> str:
    """The card of a model.

    Args:
        entry: Its manifest entry.
        seconds: What is known of its time on this computer, a sentence; empty when nothing is.
    """
    return "".join(
        [
            f"<h3>{escape(entry.title)} {escape(entry.version)}</h3>",
            f"<p>{escape(entry.intended_use)} <b>{escape(_('Research use only.'))}</b></p>",
            *_section(_("Quality on slices it has not seen"), _quality(entry)),
            *_section(_("Time"), [seconds] if seconds else []),
            *_section(_("Limits"), entry.limits),
            *_section(_("Trained on"), entry.training_data),
            *_section(_("Expected range"), _range(entry)),
            *_section(_("Licence"), [_licence(entry)]),
        ]
    )


def modelTitle(entry: ModelEntry) -> str:
    """Its name in a list of models."""
    title = f"{entry.title} ({entry.id} {entry.version})"
    return _("{title}, default").format(title=title) if entry.default else title


def _quality(entry: ModelEntry) -> Iterator[str]:
    """One line a subset, from metrics named "SUBSET: PSNR in ..., dB" and so on."""
    if entry.trusted is None:
        yield from (f"{name}: {value:g}" for name, value in entry.metrics.items())
        return
    subsets = dict.fromkeys(name.split(": ")[0] for name in entry.metrics)
    for subset in subsets:
        figures = {
            name.split(": ", 1)[1]: value for name, value in entry.metrics.items() if name.startswith(subset + ": ")
        }
        text = ", ".join(_figures(figures))
        if text:
            yield f"{subset}: {text}"


def _figures(figures: dict[str, float]) -> Iterator[str]:
    before, after = _starting(figures, "PSNR of the input"), _starting(figures, "PSNR in")
    if before is not None and after is not None:
        yield _("PSNR {before:.1f} → {after:.1f} dB").format(before=before, after=after)
    before, after = _starting(figures, "SSIM of the input"), _starting(figures, "SSIM in")
    if before is not None and after is not None:
        yield _("SSIM {before:.2f} → {after:.2f}").format(before=before, after=after)
    shift = _starting(figures, "shift of soft tissue")
    if shift is not None:
        yield _("soft tissue {shift:+.1f} HU").format(shift=shift)


def _starting(figures: dict[str, float], start: str) -> float | None:
    return next((value for name, value in figures.items() if name.startswith(start)), None)


def _range(entry: ModelEntry) -> Iterator[str]:
    trusted = entry.trusted
    if trusted is None:
        return
    low, high = trusted.noise_sd_hu
    yield _("Noise of soft tissue in the input: {low:g} to {high:g} HU").format(low=low, high=high)
    low, high = trusted.spacing_mm
    yield _("Pixel size: {low:g} to {high:g} mm").format(low=low, high=high)
    yield _("CT numbers of a tissue shift by up to {shift:g} HU").format(shift=trusted.max_abs_bias_hu)


def _licence(entry: ModelEntry) -> str:
    size = f"{entry.size_bytes / 1e6:.1f} MB"
    place = _("part of MedEnhance") if entry.bundled else _("download of {size}").format(size=size)
    return f"{entry.licence}, {place}"


def _section(title: str, lines: Iterable[str]) -> Sequence[str]:
    items = [f"<li>{escape(line)}</li>" for line in lines]
    return [f"<p><b>{escape(title)}</b></p><ul>", *items, "</ul>"] if items else []
