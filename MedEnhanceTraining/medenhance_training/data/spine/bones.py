"""The bones that cast shadows: transverse processes, ribs and lumbar lumps, placed along a posture.

Sizes are the public image's expert mask at 0.2 mm a pixel (specification, section 5.3), drawn with spread: a transverse
process 13 to 20 mm wide and 15 to 21 high, a rib piece up to the scan's border, a lump 53 to 58 mm wide and 21 to 33
high with a dome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medenhance.spine.labels import LUMP, PROCESS, RIB
from medenhance_training.data.spine.case import Landmark, Side
from medenhance_training.data.spine.config import Habitus, SpineConfig
from medenhance_training.data.spine.posture import LEVELS, THORACIC_LEVELS, Posture

# Depths below the skin where the lamina lies at 31 mm: those of the specification's phantom less 1.5 to 3 mm, so that
# the middle slab, among those that experts choose most, shows ribs and lumps as the public image does.
_REFERENCE_LAMINA_MM = 31.0
PROCESS_DEPTH_MM, RIB_DEPTH_MM, LUMP_DEPTH_MM, DOME_DEPTH_MM = 25.5, 27.5, 30.0, 28.0
PROCESS_OFFSET_MM = 25.0  # 128 px of the public image
_PLACE_JITTER_MM = 0.3
# A quarter of the distance of levels: a process that strays so far still belongs to its own.
_FARTHEST_STRAY_MM = 7.0
# Share of the body's shadow strength: in the public image processes are half as dark as ribs and lumps.
_OPACITY = {PROCESS: 0.52, RIB: 0.95, LUMP: 0.8}


@dataclass(frozen=True)
class Blob:
    """A superellipse with a wavy outline, in mm from the image's upper left corner.

    Attributes:
        column_mm: Centre.
        row_mm: Centre.
        half_width_mm: Half axis along its own lateral axis.
        half_height_mm: Half axis across.
        turn_rad: Rotation; positive takes the right end down.
        exponent: 2 for an ellipse, more for a box with round corners.
        wave: Amplitude and phase of the second and third harmonic of its outline.
        depth_mm: Of its surface below the skin.
    """

    column_mm: float
    row_mm: float
    half_width_mm: float
    half_height_mm: float
    turn_rad: float
    exponent: float
    wave: tuple[float, float, float, float]
    depth_mm: float

    def radius(self, column_mm: np.ndarray, row_mm: np.ndarray) -> np.ndarray:
        """0 at the centre, 1 on the outline; arguments broadcast."""
        x, y = column_mm - self.column_mm, row_mm - self.row_mm
        cos, sin = np.cos(self.turn_rad), np.sin(self.turn_rad)
        u, v = (cos * x + sin * y) / self.half_width_mm, (cos * y - sin * x) / self.half_height_mm
        angle = np.arctan2(v, u)
        two, two_phase, three, three_phase = self.wave
        outline = 1 + two * np.cos(2 * angle + two_phase) + three * np.cos(3 * angle + three_phase)
        power = self.exponent
        return np.asarray((np.abs(u) ** power + np.abs(v) ** power) ** (1 / power) / outline)

    @property
    def reach_mm(self) -> float:
        """No pixel farther from the centre lies inside."""
        return 1.15 * float(np.hypot(self.half_width_mm, self.half_height_mm))


@dataclass(frozen=True)
class Bone:
    """A process, a rib or a lump.

    Attributes:
        label: Its class.
        level: Its level.
        side: Of the patient.
        row_mm: Its centre: the landmark.
        column_mm: Likewise.
        blobs: Its parts.
        opacity: Share of the echo behind it that it takes away.
        present: Whether it is there at all.
    """

    label: int
    level: str
    side: Side
    row_mm: float
    column_mm: float
    blobs: tuple[Blob, ...]
    opacity: float
    present: bool


def draw_bones(posture: Posture, habitus: Habitus, config: SpineConfig, rng: np.random.Generator) -> tuple[Bone, ...]:
    """Every bone of a subject, also the missing ones; ribs first, so that processes are painted over them."""
    missing = rng.uniform(*config.missing_share)
    ribs, others = [], []
    for number, level in enumerate(LEVELS):
        # One generator a level: an edit of a level leaves the others bit for bit as they were.
        own = np.random.default_rng(rng.integers(2**63))
        place = _Place(posture, number, habitus, own)
        apart = own.spawn(1)[0]
        if level in THORACIC_LEVELS:
            for side in ("left", "right"):
                astray_mm = _astray_mm(config, apart)
                others.append(_edited(_moved(place.process(side, missing), astray_mm), config))
                ribs.append(_edited(place.rib(side, missing), config))
        else:
            others.append(_edited(place.lump(missing), config))
    return (*ribs, *others)


def landmarks_of(bones: tuple[Bone, ...], scan: np.ndarray, pixel_mm: float) -> tuple[Landmark, ...]:
    """A landmark for each process and lump; scan: (R, C) bool."""
    landmarks = []
    for bone in bones:
        if bone.label == RIB:
            continue
        row, column = bone.row_mm / pixel_mm - 0.5, bone.column_mm / pixel_mm - 0.5
        seen = bone.present and _value_at(scan, row, column)
        depth = min(blob.depth_mm for blob in bone.blobs)
        landmarks.append(Landmark(bone.level, bone.side, row, column, bone.row_mm, bone.column_mm, depth, seen))
    return tuple(landmarks)


def paint_labels(bones: tuple[Bone, ...], shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
    """(R, C) uint8 classes of the bones that are present."""
    labels = np.zeros(shape, np.uint8)
    for bone in bones:
        for blob in bone.blobs if bone.present else ():
            rows, columns = window(blob, shape, pixel_mm)
            x, y = pixel_centres(columns, pixel_mm), pixel_centres(rows, pixel_mm)
            labels[rows, columns][blob.radius(x[None], y[:, None]) < 1] = bone.label
    return labels


def window(blob: Blob, shape: tuple[int, int], pixel_mm: float, margin_mm: float = 0.0) -> tuple[slice, slice]:
    """Rows and columns that a blob and a margin may touch."""
    reach = blob.reach_mm + margin_mm
    spans = []
    for centre, size in zip((blob.row_mm, blob.column_mm), shape, strict=True):
        low, high = (int(np.clip(round((centre + sign * reach) / pixel_mm), 0, size)) for sign in (-1, 1))
        spans.append(slice(low, high))
    return spans[0], spans[1]


def pixel_centres(span: slice, pixel_mm: float) -> np.ndarray:
    """(n,) mm: centres of the pixels of a span."""
    return ((np.arange(span.start, span.stop) + 0.5) * pixel_mm).astype(np.float32)


@dataclass(frozen=True)
class _Place:
    """Where a level is, and what its bones are drawn from."""

    posture: Posture
    number: int
    habitus: Habitus
    rng: np.random.Generator

    def process(self, side: Side, missing: float) -> Bone:
        sign = -1 if side == "left" else 1
        row, column = self._at(sign * PROCESS_OFFSET_MM, 0.0)
        blob = self._blob(
            row, column, (self.rng.uniform(6.5, 9.5), self.rng.uniform(7.5, 10.0)), self._sd(0.35),
            (2.2, 0.06), PROCESS_DEPTH_MM + self._sd(1.5),
        )  # fmt: skip
        return self._bone(PROCESS, side, row, column, (blob,), missing)

    def rib(self, side: Side, missing: float) -> Bone:
        sign = -1 if side == "left" else 1
        # The twelfth rib slants down; those above run level or rise a little, as the public mask has them.
        rise = self.rng.normal(-0.75, 0.1) if LEVELS[self.number] == "T12" else self.rng.normal(0.15, 0.2)
        out = 17.0
        row, column = self._at(sign * (PROCESS_OFFSET_MM + out), -3.0 - out * np.tan(rise))
        size = self.rng.uniform(14, 18), self.rng.uniform(6.0, 9.0)
        blob = self._blob(row, column, size, -sign * rise, (3.5, 0.05), RIB_DEPTH_MM + self._sd(1.5))
        return self._bone(RIB, side, row, column, (blob,), missing)

    def lump(self, missing: float) -> Bone:
        row, column = self._at(0.0, 0.0)
        half_width = self.rng.uniform(25.5, 30)
        droop = self.rng.uniform(0.05, 0.2)
        wings = [
            self._blob(*self._at(sign * 0.5 * half_width, 3.0), (0.55 * half_width, self.rng.uniform(7.5, 9.5)),
                       sign * droop, (3.0, 0.05), LUMP_DEPTH_MM + self._sd(1.0))
            for sign in (-1, 1)
        ]  # fmt: skip
        dome = self._blob(
            *self._at(0.0, self.rng.uniform(-4.0, 0.0)), (self.rng.uniform(12, 17), self.rng.uniform(8, 13)), 0.0,
            (2.2, 0.05), DOME_DEPTH_MM + self._sd(1.0),
        )  # fmt: skip
        return self._bone(LUMP, "middle", row, column, (*wings, dome), missing)

    def _at(self, lateral_mm: float, down_mm: float) -> tuple[float, float]:
        """Row and column in mm of a place in the level's own tilted frame, with a little jitter along the spine."""
        tilt, scale = np.radians(self.posture.tilts_deg[self.number]), self.posture.scale
        u, v = lateral_mm * scale, down_mm * scale + self._sd(_PLACE_JITTER_MM)
        row = self.posture.row_mm[self.number] + u * np.sin(tilt) + v * np.cos(tilt)
        column = self.posture.column_mm[self.number] + u * np.cos(tilt) - v * np.sin(tilt)
        return float(row), float(column)

    def _blob(
        self, row: float, column: float, half_mm: tuple[float, float], turn: float, form: tuple[float, float],
        depth_mm: float,
    ) -> Blob:  # fmt: skip
        exponent, wave = form
        phases = self.rng.uniform(0, 2 * np.pi, 2)
        waves = self.rng.uniform(0, wave), phases[0], self.rng.uniform(0, wave), phases[1]
        width, height = (self.posture.scale * half for half in half_mm)
        turn += np.radians(self.posture.tilts_deg[self.number])
        depth = depth_mm * self.habitus.lamina_mm / _REFERENCE_LAMINA_MM
        return Blob(column, row, width, height, float(turn), exponent, waves, depth)

    def _bone(self, label: int, side: Side, row: float, column: float, blobs: tuple[Blob, ...], missing: float) -> Bone:
        mean = _OPACITY[label] * self.habitus.shadow_strength
        opacity = float(np.clip(self.rng.normal(mean, 0.12), 0.15, 0.95))
        present = bool(self.rng.uniform() >= missing)
        return Bone(label, LEVELS[self.number], side, row, column, blobs, opacity, present)

    def _sd(self, sd: float) -> float:
        return float(self.rng.normal(0, sd))


def _astray_mm(config: SpineConfig, rng: np.random.Generator) -> float:
    """How far a process lies below where it belongs; 0 for most."""
    share, down_mm = rng.uniform(), rng.uniform(-_FARTHEST_STRAY_MM, _FARTHEST_STRAY_MM)
    return float(down_mm) if share < config.stray_share else 0.0


def _edited(bone: Bone, config: SpineConfig) -> Bone:
    """The bone as the configuration's edits leave it: a rib hangs on its process and goes with it."""
    if bone.label != RIB and (bone.level, bone.side) in config.deleted:
        return replace(bone, present=False)
    for level, side, down_mm in config.shifted:
        if (level, side) == (bone.level, bone.side):
            return _moved(bone, down_mm)
    return bone


def _moved(bone: Bone, down_mm: float) -> Bone:
    """The bone so much lower."""
    blobs = tuple(replace(blob, row_mm=blob.row_mm + down_mm) for blob in bone.blobs)
    return replace(bone, row_mm=bone.row_mm + down_mm, blobs=blobs)


def _value_at(mask: np.ndarray, row: float, column: float) -> bool:
    nearest = round(row), round(column)
    return all(0 <= n < size for n, size in zip(nearest, mask.shape, strict=True)) and bool(mask[nearest])
