"""How close simulated projections come to a real one, by the measures of structured noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medenhance.measure.stripes import StripeStatistics, scan_area, stripe_statistics


def measures(image: np.ndarray) -> dict[str, float]:
    """Everything that is compared, of one projection, (R, C) grey 0 to 255."""
    stripes = stripe_statistics(image)
    grey = image[scan_area(image)]
    return {**_of_stripes(stripes), "mean grey in the scan": float(grey.mean()), "sd of grey": float(grey.std())}


def comparison_table(real: np.ndarray, simulated: Sequence[np.ndarray]) -> str:
    """A text table: the real image, and median, lowest and highest of the simulated ones.

    Args:
        real: (R, C) grey 0 to 255.
        simulated: Projections of one or more subjects, likewise.
    """
    ours = [measures(image) for image in simulated]
    lines = [f"{'measure':34} {'real':>8} {'median':>8} {'lowest':>8} {'highest':>8}   of {len(ours)} simulated"]
    for name, value in measures(real).items():
        drawn = np.array([one[name] for one in ours])
        cells = (value, *np.nanpercentile(drawn, (50, 0, 100)))
        lines.append(f"{name:34} " + " ".join(f"{cell:8.2f}" for cell in cells))
    return "\n".join(lines)


def _of_stripes(stripes: StripeStatistics) -> dict[str, float]:
    of_175 = 175 / stripes.num_patches
    return {
        "patches with g >= 4 (of 175)": stripes.num_corrupted * of_175,
        "patches with g <= 2 (of 175)": stripes.num_clean * of_175,
        "g, median": stripes.edge_median,
        "g, 95th percentile": stripes.edge_p95,
        "g, highest": stripes.edge_max,
        "dash pixels, % of the scan": 100 * stripes.dash_share,
        "empty pixels, % of the scan": 100 * stripes.empty_share,
        "dash height px, median": stripes.dash_height_px[0],
        "dash height px, 95th percentile": stripes.dash_height_px[1],
        "dash width px, median": stripes.dash_width_px[0],
        "dash width px, 75th percentile": stripes.dash_width_px[1],
        "dash width px, 95th percentile": stripes.dash_width_px[2],
    }
