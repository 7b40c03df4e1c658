"""What looks like a bleed and is none, and old damage that is darker than brain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medenhance_training.data.head_ct.brain import Places
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.fields import enlarged, inside, rounded_ellipsoid, smooth_noise
from medenhance_training.data.head_ct.interior import Interior
from medenhance_training.data.head_ct.subject import Subject


@dataclass(frozen=True)
class _Canvas:
    hu: np.ndarray
    places: Places
    interior: Interior
    subject: Subject
    rng: np.random.Generator

    def ball(self, centre: tuple[float, float, float], radii: tuple[float, float, float], value: float) -> None:
        """Paint an ellipsoid at a place of the anatomy."""
        near = self._near(centre, max(radii) + 3.0)
        if near is None:
            return
        box, fine = near
        p = self.places
        distance = rounded_ellipsoid(p.x[box], p.y[box], p.z[box], centre, radii)
        share = inside(enlarged(distance), self.interior.pixel_mm)
        share *= inside(-enlarged(p.depth[box]), self.interior.pixel_mm)
        self.hu[fine] += (np.float32(value) - self.hu[fine]) * share

    def _near(
        self, centre: tuple[float, float, float], reach: float
    ) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
        p = self.places
        near = (np.abs(p.x - centre[0]) < reach) & (np.abs(p.y - centre[1]) < reach) & (np.abs(p.z - centre[2]) < reach)
        if not near.any():
            return None
        d, r, c = (np.flatnonzero(near.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
        box = slice(d[0], d[-1] + 1), slice(r[0], r[-1] + 1), slice(c[0], c[-1] + 1)
        return box, (box[0], slice(2 * box[1].start, 2 * box[1].stop), slice(2 * box[2].start, 2 * box[2].stop))


def add_look_alikes(
    hu: np.ndarray, places: Places, interior: Interior, subject: Subject, config: HeadConfig, rng: np.random.Generator
) -> tuple[str, ...]:
    """Paint them into the fine image (P, R, C) of the cavity's box in place.

    Returns:
        Their names.
    """
    canvas = _Canvas(hu, places, interior, subject, rng)
    old = np.clip((subject.age_years - 30.0) / 40.0, 0.1, 1.0)
    names = []
    for name, chance, draw in _KINDS:
        if rng.random() < min(1.0, chance(old) * config.negatives):
            draw(canvas)
            names.append(name)
    return tuple(names)


def _pineal(canvas: _Canvas) -> None:
    rng = canvas.rng
    size = rng.uniform(1.0, 4.0)
    centre = (rng.normal(0, 0.5), 22.0 + rng.normal(0, 1.5), 10.0 + rng.normal(0, 1.5))
    canvas.ball(centre, (size, size * 1.3, size), rng.uniform(80.0, 300.0))


def _choroid(canvas: _Canvas) -> None:
    rng = canvas.rng
    for side in (-1.0, 1.0):
        if rng.random() < 0.85:
            for _ in range(int(rng.integers(1, 4))):
                size = rng.uniform(1.0, 3.5)
                centre = (side * (23.0 + rng.normal(0, 2.5)), 32.0 + rng.normal(0, 3.0), 21.0 + rng.normal(0, 3.0))
                canvas.ball(centre, (size, size * rng.uniform(1, 2.2), size * rng.uniform(1, 2)), rng.uniform(60, 350))


def _pallidum(canvas: _Canvas) -> None:
    rng = canvas.rng
    size, value = rng.uniform(2.0, 5.0), rng.uniform(50.0, 140.0)
    for side in (-1.0, 1.0):
        centre = (side * (20.0 + rng.normal(0, 1)), -2.0 + rng.normal(0, 2), 8.0 + rng.normal(0, 1.5))
        canvas.ball(centre, (size * 0.6, size, size * 0.8), value * rng.uniform(0.8, 1.2))


def _dentate(canvas: _Canvas) -> None:
    rng = canvas.rng
    for side in (-1.0, 1.0):
        canvas.ball((side * 16.0, 48.0, -24.0), (4.0, 2.0, 2.5), rng.uniform(50.0, 150.0))


def _falx_plaque(canvas: _Canvas) -> None:
    rng = canvas.rng
    for _ in range(int(rng.integers(1, 4))):
        y = rng.uniform(-70.0, 65.0)
        z = 62.0 - 0.004 * y * y + rng.normal(0, 8)
        radii = (rng.uniform(0.6, 2.2), rng.uniform(2.0, 9.0), rng.uniform(2.0, 7.0))
        canvas.ball((rng.normal(0, 0.6), y, z), radii, rng.uniform(90.0, 600.0))


def _vessels(canvas: _Canvas) -> None:
    """Basilar, carotid and middle cerebral arteries, at times dense or calcified."""
    rng = canvas.rng
    value = canvas.subject.vessel_hu + rng.uniform(0.0, 12.0)
    canvas.ball((rng.normal(0, 1.5), 1.5, -12.0), (1.8, 1.8, 11.0), value)
    for side in (-1.0, 1.0):
        radius = rng.uniform(1.0, 1.9)
        for k in range(8):
            x = 8.0 + 3.6 * k
            canvas.ball((side * x, -6.0 - 5.0 * np.sin(k / 2.2), -1.0 + 0.6 * k), (2.6, radius, radius), value)
        if rng.random() < 0.4 * canvas.subject.atrophy + 0.05:
            canvas.ball((side * 8.0, -6.0, -5.0), (1.6, 2.2, 3.0), rng.uniform(150.0, 500.0))


def _sella(canvas: _Canvas) -> None:
    """The bony back of the sella with the clinoids, and between them the pituitary and the cavernous sinuses."""
    rng, subject = canvas.rng, canvas.subject
    back, top = 5.0 + rng.normal(0, 1.5), -4.0 + rng.normal(0, 2.0)
    bone = rng.uniform(350.0, 1000.0)
    canvas.ball((0.0, back - 10.0, top - 5.0), (6.5, 5.5, 4.5), subject.grey_hu + rng.uniform(0.0, 16.0))
    for side in (-1.0, 1.0):
        reach = rng.uniform(7.0, 10.0)
        sinus = (side * (reach + 3.0), back - 9.0, top - 5.0)
        canvas.ball(sinus, (rng.uniform(2.5, 5.0), 9.0, rng.uniform(3.0, 6.0)), subject.vessel_hu + rng.uniform(0, 12))
        if rng.random() < 0.1 + 0.4 * subject.atrophy:
            calcified = (sinus[0], sinus[1] + rng.normal(0, 4.0), top - 3.0)
            canvas.ball(calcified, (1.2, 2.5, 1.8), rng.uniform(120.0, 600.0))
        canvas.ball((side * reach, back, top), (2.5, 1.8, rng.uniform(1.5, 3.0)), bone)
        canvas.ball((side * (reach + 3.0), back - 20.0, top), (2.5, 4.5, rng.uniform(1.5, 3.5)), bone)
    canvas.ball((0.0, back, top - 4.0), (rng.uniform(7.0, 11.0), rng.uniform(1.2, 2.4), rng.uniform(3.5, 7.0)), bone)


def _dense_artery(canvas: _Canvas) -> None:
    """A clot in the middle cerebral artery."""
    rng = canvas.rng
    side = 1.0 if rng.random() < 0.5 else -1.0
    for k in range(6):
        x = 12.0 + 3.2 * k
        canvas.ball((side * x, -9.0 - 3.0 * np.sin(k / 2), 0.5 + 0.5 * k), (2.6, 1.8, 1.8), rng.uniform(52.0, 68.0))


def _infarct(canvas: _Canvas) -> None:
    """Old: nearly fluid, with the cortex; or recent: a little darker than brain; both without mass."""
    rng = canvas.rng
    p = canvas.places
    side = 1.0 if rng.random() < 0.5 else -1.0
    cortical = rng.random() < 0.7
    if cortical:
        angle = rng.uniform(-1.3, 1.4)
        centre = (side * 58.0 * np.cos(angle), 70.0 * np.sin(angle), rng.uniform(0.0, 50.0))
        radius = rng.uniform(12.0, 34.0)
    else:
        centre = (side * rng.uniform(10.0, 28.0), rng.uniform(-20.0, 20.0), rng.uniform(5.0, 28.0))
        radius = rng.uniform(2.0, 7.0)
    distance = np.sqrt((p.x - centre[0]) ** 2 + (p.y - centre[1]) ** 2 + (1.2 * (p.z - centre[2])) ** 2) - radius
    distance = distance + 0.22 * radius * smooth_noise(p.x.shape, canvas.interior.step_mm, max(radius, 9.0), rng)
    old = rng.random() < 0.65
    value = canvas.subject.csf_hu + rng.uniform(1.0, 10.0) if old else canvas.subject.white_hu - rng.uniform(4.0, 10.0)
    share = inside(enlarged(distance), 2.0 if old else 6.0)
    canvas.hu[...] = np.where(canvas.hu > value, canvas.hu + (np.float32(value) - canvas.hu) * share, canvas.hu)


def _meningioma(canvas: _Canvas) -> None:
    """A dense mass on the dura, round and often calcified."""
    rng = canvas.rng
    near = (np.abs(canvas.places.depth - 2.0) < 1.5) & (canvas.places.z > -10.0)
    found = np.flatnonzero(near.ravel())
    if not found.size:
        return
    k = int(rng.choice(found))
    x, y, z = (float(a.ravel()[k]) for a in (canvas.places.x, canvas.places.y, canvas.places.z))
    size = rng.uniform(4.0, 11.0)
    canvas.ball((x, y, z), (size, size, size), canvas.subject.grey_hu + rng.uniform(2.0, 10.0))
    if rng.random() < 0.5:
        canvas.ball((x, y, z), (size * 0.5, size * 0.5, size * 0.5), rng.uniform(90.0, 300.0))


def _catheter(canvas: _Canvas) -> None:
    """A shunt from the right parietal bone to the ventricle."""
    rng = canvas.rng
    side = -1.0 if rng.random() < 0.7 else 1.0
    tip = np.array([side * 6.0, -18.0, 20.0])
    out = np.array([side * 52.0, 40.0, 45.0])
    for t in np.linspace(0.0, 1.05, 26):
        x, y, z = tip + t * (out - tip)
        canvas.ball((x, y, z), (1.6, 1.6, 1.6), 280.0)


_Kind = tuple[str, Callable[[float], float], Callable[[_Canvas], None]]
# Name, probability at an age (0.1 young to 1 old), painter. Frequencies are ours, of the order that readers see.
_KINDS: tuple[_Kind, ...] = (
    ("vessels", lambda _: 1.0, _vessels),
    ("sella", lambda _: 1.0, _sella),
    ("infarct", lambda old: 0.06 + 0.22 * old, _infarct),
    ("second-infarct", lambda old: 0.02 + 0.1 * old, _infarct),
    ("pineal-calcification", lambda old: 0.35 + 0.35 * old, _pineal),
    ("choroid-calcification", lambda old: 0.15 + 0.55 * old, _choroid),
    ("pallidum-calcification", lambda old: 0.03 + 0.15 * old, _pallidum),
    ("dentate-calcification", lambda old: 0.02 + 0.04 * old, _dentate),
    ("falx-calcification", lambda old: 0.08 + 0.25 * old, _falx_plaque),
    ("dense-artery", lambda old: 0.02 + 0.04 * old, _dense_artery),
    ("meningioma", lambda old: 0.01 + 0.03 * old, _meningioma),
    ("catheter", lambda _: 0.03, _catheter),
)
