"""Draws the icons of the extension and its modules: 128 x 128 RGBA PNG, as the Extensions Index and Slicer want them.

    python Resources/make_icons.py

Each is a rounded tile with one drawing; colours differ, so that modules are told apart in a menu at 16 pixels.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 128
# Drawn this many times larger and reduced, which smooths every edge.
OVERSAMPLING = 8
NAVY = ((16, 34, 66), (28, 74, 118))
TEAL = ((7, 62, 80), (18, 128, 134))
CLARET = ((74, 18, 44), (150, 52, 84))
VIOLET = ((48, 32, 98), (112, 78, 178))
SLATE = ((30, 38, 44), (86, 104, 116))
ACCENT = (255, 196, 84, 255)

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]


def scaled(box: Box) -> Box:
    """A box in units of the icon's side (left, top, right, bottom; 0 to 1), in drawing pixels."""
    left, top, right, bottom = (value * SIZE * OVERSAMPLING for value in box)
    return left, top, right, bottom


def tile(colours: tuple[Colour, Colour]) -> Image.Image:
    """A rounded square, darker at the top."""
    side = SIZE * OVERSAMPLING
    ramp = np.linspace(0, 1, side)[:, None, None]
    rgb = (1 - ramp) * np.array(colours[0]) + ramp * np.array(colours[1])
    picture = Image.fromarray(np.broadcast_to(rgb, (side, side, 3)).astype(np.uint8)).convert("RGBA")
    picture.putalpha(mask_of("rounded_rectangle", (0.03, 0.03, 0.97, 0.97), radius=0.2 * side))
    return picture


def mask_of(shape: str, *boxes: Box, **options: float) -> Image.Image:
    """255 inside the shapes, 0 outside."""
    mask = Image.new("L", (SIZE * OVERSAMPLING,) * 2)
    for box in boxes:
        getattr(ImageDraw.Draw(mask), shape)(scaled(box), fill=255, **options)
    return mask


def slice_through_a_chest(half_width: float, half_height: float, seed: int = 5) -> Image.Image:
    """A transverse slice in grey, noisy in the left half: body, lungs, heart, spine. Transparent outside the body."""

    def ellipse(column: float, row: float, width: float, height: float) -> Box:
        return column - width, row - height, column + width, row + height

    picture = Image.new("L", (SIZE * OVERSAMPLING,) * 2, 176)
    body = ellipse(0.5, 0.51, half_width, half_height)
    lungs = [ellipse(0.5 + side * half_width * 0.46, 0.48, half_width * 0.33, half_height * 0.62) for side in (-1, 1)]
    heart = ellipse(0.5 + half_width * 0.12, 0.43, half_width * 0.27, half_height * 0.34)
    spine = ellipse(0.5, 0.51 + half_height * 0.55, half_width * 0.17, half_height * 0.22)
    for boxes, grey in ((lungs, 46), ([heart], 196), ([spine], 250)):
        picture.paste(grey, mask=mask_of("ellipse", *boxes))
    picture = picture.filter(ImageFilter.GaussianBlur(OVERSAMPLING * 0.8))
    noisy = Image.fromarray(with_noise(np.asarray(picture), seed))
    noisy = noisy.convert("RGBA")
    noisy.putalpha(mask_of("ellipse", body))
    return noisy


def with_noise(grey: np.ndarray, seed: int) -> np.ndarray:
    """Grain of about three icon pixels in the left half, so that it is still seen when the icon is drawn small."""
    side = grey.shape[0]
    grains = np.random.default_rng(seed).normal(0, 62, (46, 46))
    noise = np.asarray(Image.fromarray(grains.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))
    left = np.arange(side) < side / 2
    return np.clip(grey + noise * left, 0, 255).astype(np.uint8)


def sparkle(column: float, row: float, radius: float) -> Image.Image:
    """A four-pointed star."""
    angles = np.arange(8) * np.pi / 4
    radii = np.where(np.arange(8) % 2 == 0, radius, radius * 0.3)
    side = SIZE * OVERSAMPLING
    points = [
        (side * (column + r * np.sin(a)), side * (row - r * np.cos(a))) for r, a in zip(radii, angles, strict=True)
    ]
    picture = Image.new("RGBA", (side, side))
    ImageDraw.Draw(picture).polygon(points, fill=ACCENT)
    return picture


def divider(top: float, bottom: float) -> Image.Image:
    """The line between before and after."""
    picture = Image.new("RGBA", (SIZE * OVERSAMPLING,) * 2)
    ImageDraw.Draw(picture).rectangle(scaled((0.49, top, 0.51, bottom)), fill=ACCENT)
    return picture


def extension_icon() -> Image.Image:
    """Before and after of a slice, and a sparkle."""
    parts = (slice_through_a_chest(0.39, 0.29), divider(0.13, 0.87), sparkle(0.8, 0.2, 0.13))
    return on_tile(NAVY, *parts)


def low_dose_ct_icon() -> Image.Image:
    """The ring of a scanner around a slice, half of it noisy."""
    ring = Image.new("RGBA", (SIZE * OVERSAMPLING,) * 2)
    ImageDraw.Draw(ring).ellipse(scaled((0.1, 0.1, 0.9, 0.9)), fill=(226, 236, 240, 255))
    hole = mask_of("ellipse", (0.19, 0.19, 0.81, 0.81))
    ring.paste((8, 30, 42, 255), mask=hole)
    return on_tile(TEAL, ring, slice_through_a_chest(0.26, 0.2), divider(0.22, 0.78))


def spine_ultrasound_icon() -> Image.Image:
    """A curved column of vertebrae from behind, and the two lines whose angle is measured."""
    side = SIZE * OVERSAMPLING
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    rows = np.linspace(0.14, 0.86, 9)
    for row in rows:
        middle, tilt = 0.5 + 0.11 * np.sin(np.pi * (row - 0.14) / 0.72), -0.42 * np.cos(np.pi * (row - 0.14) / 0.72)
        across, down = np.array([np.cos(tilt), np.sin(tilt)]), np.array([-np.sin(tilt), np.cos(tilt)])
        for offset, width, height in ((0.0, 0.075, 0.032), (-0.15, 0.05, 0.02), (0.15, 0.05, 0.02)):
            centre = np.array([middle, row]) + offset * across
            signs = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
            corners = [tuple(side * (centre + a * width * across + b * height * down)) for a, b in signs]
            draw.polygon(corners, fill=(250, 232, 238, 255))
        if row in (rows[1], rows[-2]):
            ends = [tuple(side * (np.array([middle, row]) + sign * 0.34 * across)) for sign in (-1, 1)]
            draw.line(ends, fill=ACCENT, width=int(0.03 * side))
    return on_tile(CLARET, picture)


def head_ct_icon() -> Image.Image:
    """An axial slice of a head: skull, both hemispheres, and a bright bleed along the inside of the skull."""
    side = SIZE * OVERSAMPLING
    picture = Image.new("RGBA", (side, side))
    layers = [
        ((0.17, 0.09, 0.83, 0.91), (236, 240, 242, 255)),
        ((0.24, 0.16, 0.76, 0.84), (58, 66, 74, 255)),
        ((0.265, 0.185, 0.735, 0.815), (142, 152, 160, 255)),
    ]
    for box, colour in layers:
        picture.paste(colour, mask=mask_of("ellipse", box))
    inside = mask_of("ellipse", (0.24, 0.16, 0.76, 0.84))
    # A crescent: the inside of the skull without the brain that was pushed aside.
    crescent = ImageChops.subtract(inside, mask_of("ellipse", (0.06, 0.14, 0.66, 0.86)))
    picture.paste(ACCENT, mask=crescent)
    draw = ImageDraw.Draw(picture)
    draw.line(
        [(0.5 * side, 0.2 * side), (0.47 * side, 0.5 * side), (0.5 * side, 0.8 * side)], (58, 66, 74, 255), side // 50
    )
    for offset in (-0.09, 0.05):
        draw.ellipse(scaled((0.475 + offset - 0.03, 0.4, 0.475 + offset + 0.03, 0.6)), (78, 88, 98, 255))
    return on_tile(SLATE, picture)


def models_icon() -> Image.Image:
    """A small network: two, three and one unit, all connected."""
    picture = Image.new("RGBA", (SIZE * OVERSAMPLING,) * 2)
    draw = ImageDraw.Draw(picture)
    layers = [[(0.22, row) for row in (0.36, 0.64)], [(0.5, row) for row in (0.22, 0.5, 0.78)], [(0.78, 0.5)]]
    for layer, following in pairwise(layers):
        for start in layer:
            for end in following:
                ends = [tuple(value * SIZE * OVERSAMPLING for value in point) for point in (start, end)]
                draw.line(ends, fill=(226, 218, 250, 255), width=int(0.025 * SIZE * OVERSAMPLING))
    for number, layer in enumerate(layers):
        for column, row in layer:
            box = scaled((column - 0.09, row - 0.09, column + 0.09, row + 0.09))
            draw.ellipse(box, fill=ACCENT if number == 2 else (250, 248, 255, 255))
    return on_tile(VIOLET, picture)


def on_tile(colours: tuple[Colour, Colour], *parts: Image.Image) -> Image.Image:
    """The parts one over another on a tile, reduced to the icon's size."""
    picture = tile(colours)
    for part in parts:
        picture.alpha_composite(part)
    return picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    module_icons = root / "MedEnhance" / "Resources" / "Icons"
    module_icons.mkdir(parents=True, exist_ok=True)
    extension_icon().save(root / "Resources" / "MedEnhance.png", optimize=True)
    low_dose_ct_icon().save(module_icons / "MedEnhanceLowDoseCT.png", optimize=True)
    spine_ultrasound_icon().save(module_icons / "MedEnhanceSpineUltrasound.png", optimize=True)
    head_ct_icon().save(module_icons / "MedEnhanceHeadCT.png", optimize=True)
    models_icon().save(module_icons / "MedEnhanceModels.png", optimize=True)


if __name__ == "__main__":
    main()
