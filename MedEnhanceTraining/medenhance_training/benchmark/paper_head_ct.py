"""Tables 5, 6 and 7 of SMART-Net (papers/004 B) as printed, on real patients of four hospitals.

Where the tables contradict themselves (`medenhance-train check-table`, specification section 9) they stand as printed.
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER_SETS = ("Internal", "External 1", "External 2", "External 3")
NUM_CASES = {"Internal": (29, 100), "External 1": (86, 162), "External 2": (22, 203), "External 3": (34, 39)}
"""Scans with and without blood (Table 4)."""

Scan = tuple[float, float, float, float]  # AUC, F1, sensitivity, specificity
Mask = tuple[float, float]  # Dice of scans with blood, false-positive volume of normal scans in microlitres


@dataclass(frozen=True)
class Table5Row:
    """Slices upstream; concurrence is of slices with blood and of those without."""

    concurrence: tuple[float, float]
    classification: Scan
    segmentation: Mask


TABLE_5: dict[str, Table5Row] = {
    "CLS+SEG": Table5Row((0.828, 0.841), (0.954, 0.638, 0.871, 0.903), (0.504, 4.9)),
    "CLS+SEG, consistent": Table5Row((0.871, 0.914), (0.958, 0.731, 0.815, 0.953), (0.515, 4.3)),
    "CLS+SEG+REC": Table5Row((0.831, 0.824), (0.968, 0.691, 0.902, 0.920), (0.530, 3.2)),
    "SMART-Net": Table5Row((0.901, 0.919), (0.963, 0.685, 0.897, 0.919), (0.506, 2.4)),
}

# Tables 6 and 7; rows that stand in both (SMART-Net, and Autoencoder which is REC alone) are printed alike but for the
# sensitivity of SMART-Net on External 2, 0.864 in Table 6 and 0.818 in Table 7.
SCANS: dict[str, tuple[Scan, Scan, Scan, Scan]] = {
    "Patel 2019b full": (
        (0.940, 0.852, 0.897, 0.940), (0.928, 0.828, 0.837, 0.901),
        (0.888, 0.650, 0.591, 0.975), (0.918, 0.816, 0.912, 0.718),
    ),
    "Patel 2019b simple": (
        (0.875, 0.632, 0.621, 0.900), (0.747, 0.560, 0.488, 0.864),
        (0.596, 0.345, 0.227, 0.990), (0.733, 0.800, 0.882, 0.205),
    ),
    "Singh": (
        (0.864, 0.607, 0.586, 0.900), (0.868, 0.718, 0.709, 0.858),
        (0.715, 0.270, 0.545, 0.729), (0.776, 0.603, 0.559, 0.774),
    ),
    "Scratch": (
        (0.914, 0.724, 0.724, 0.920), (0.836, 0.696, 0.733, 0.802),
        (0.805, 0.384, 0.636, 0.818), (0.808, 0.699, 0.853, 0.487),
    ),
    "ImageNet": (
        (0.903, 0.780, 0.793, 0.930), (0.834, 0.629, 0.523, 0.926),
        (0.661, 0.414, 0.273, 0.995), (0.768, 0.730, 0.794, 0.667),
    ),
    "Autoencoder": (
        (0.714, 0.462, 0.724, 0.590), (0.627, 0.522, 0.628, 0.586),
        (0.576, 0.190, 0.909, 0.167), (0.676, 0.633, 0.912, 0.154),
    ),
    "Models Genesis": (
        (0.862, 0.505, 0.793, 0.610), (0.804, 0.626, 0.779, 0.623),
        (0.745, 0.191, 0.955, 0.128), (0.654, 0.633, 0.912, 0.154),
    ),
    "CLS": (
        (0.947, 0.776, 0.897, 0.880), (0.920, 0.759, 0.860, 0.784),
        (0.943, 0.326, 0.955, 0.576), (0.902, 0.790, 0.941, 0.615),
    ),
    "SEG": (
        (0.456, 0.367, 1.000, 0.000), (0.644, 0.515, 1.000, 0.000),
        (0.638, 0.178, 1.000, 0.000), (0.381, 0.636, 1.000, 0.000),
    ),
    "REC": (
        (0.714, 0.462, 0.724, 0.590), (0.627, 0.522, 0.628, 0.586),
        (0.576, 0.190, 0.909, 0.167), (0.676, 0.633, 0.912, 0.154),
    ),
    "CLS+SEG": (
        (0.956, 0.800, 0.897, 0.900), (0.943, 0.826, 0.884, 0.864),
        (0.911, 0.642, 0.712, 0.916), (0.786, 0.734, 0.853, 0.590),
    ),
    "CLS+SEG, consistent": (
        (0.959, 0.831, 0.931, 0.910), (0.957, 0.841, 0.860, 0.901),
        (0.936, 0.653, 0.727, 0.946), (0.936, 0.800, 0.941, 0.641),
    ),
    "CLS+REC": (
        (0.975, 0.862, 0.966, 0.920), (0.935, 0.831, 0.860, 0.889),
        (0.910, 0.607, 0.773, 0.916), (0.897, 0.762, 0.941, 0.538),
    ),
    "SEG+REC": (
        (0.909, 0.716, 0.828, 0.860), (0.880, 0.621, 0.953, 0.407),
        (0.803, 0.263, 0.818, 0.522), (0.829, 0.694, 1.000, 0.231),
    ),
    "CLS+SEG+REC": (
        (0.984, 0.871, 0.931, 0.940), (0.958, 0.845, 0.919, 0.864),
        (0.934, 0.654, 0.773, 0.936), (0.945, 0.825, 0.941, 0.667),
    ),
    "SMART-Net": (
        (0.988, 0.933, 0.966, 0.970), (0.966, 0.866, 0.942, 0.877),
        (0.947, 0.706, 0.864, 0.946), (0.953, 0.842, 0.971, 0.744),
    ),
}  # fmt: skip
"""Method -> set -> AUC, F1, sensitivity, specificity."""

MASKS: dict[str, tuple[Mask, Mask, Mask, Mask]] = {
    "Isensee 2D": ((0.627, 40.3), (0.599, 14.6), (0.526, 60.2), (0.505, 25.0)),
    "Isensee 3D": ((0.622, 408.0), (0.665, 511.5), (0.541, 254.2), (0.462, 1469.5)),
    "Patel 2019a": ((0.491, 21.1), (0.504, 2.8), (0.450, 223.0), (0.394, 74.1)),
    "Scratch": ((0.534, 44.4), (0.419, 17.6), (0.351, 6.6), (0.456, 36.7)),
    "ImageNet": ((0.603, 37.1), (0.591, 29.6), (0.529, 21.3), (0.494, 249.7)),
    "Autoencoder": ((0.612, 77.9), (0.601, 104.3), (0.554, 106.3), (0.441, 357.7)),
    "Models Genesis": ((0.600, 72.5), (0.565, 34.4), (0.480, 29.3), (0.486, 83.5)),
    "CLS": ((0.594, 40.4), (0.573, 83.3), (0.489, 15.1), (0.510, 21.1)),
    "SEG": ((0.618, 18.1), (0.607, 13.8), (0.514, 16.3), (0.475, 40.3)),
    "REC": ((0.612, 77.9), (0.601, 104.3), (0.554, 106.3), (0.441, 357.7)),
    "CLS+SEG": ((0.604, 23.8), (0.593, 73.7), (0.512, 21.6), (0.503, 117.9)),
    "CLS+SEG, consistent": ((0.612, 7.7), (0.587, 5.1), (0.516, 9.3), (0.511, 5.2)),
    "CLS+REC": ((0.604, 141.1), (0.561, 138.3), (0.515, 139.0), (0.377, 464.4)),
    "SEG+REC": ((0.597, 30.5), (0.591, 10.6), (0.502, 11.6), (0.507, 9.8)),
    "CLS+SEG+REC": ((0.622, 12.7), (0.595, 9.3), (0.520, 12.9), (0.517, 7.0)),
    "SMART-Net": ((0.642, 4.9), (0.602, 2.2), (0.537, 7.9), (0.519, 3.1)),
}
"""Method -> set -> Dice, false-positive volume."""
MASK_AVERAGES: dict[str, Mask] = {
    "Isensee 2D": (0.564, 35.0), "Isensee 3D": (0.573, 660.8), "Patel 2019a": (0.460, 80.3), "Scratch": (0.440, 26.3),
    "ImageNet": (0.554, 84.4), "Autoencoder": (0.552, 156.5), "Models Genesis": (0.533, 54.9), "CLS": (0.542, 40.0),
    "SEG": (0.554, 22.1), "REC": (0.552, 156.5), "CLS+SEG": (0.553, 59.3), "CLS+SEG, consistent": (0.557, 6.8),
    "CLS+REC": (0.514, 220.7), "SEG+REC": (0.549, 15.6), "CLS+SEG+REC": (0.564, 10.5), "SMART-Net": (0.575, 4.5),
}  # fmt: skip
"""The tables' own averages of the four sets."""


def printed_scan(title: str, like_training: bool) -> Scan | None:
    """What the paper prints: of its internal set, or the mean of its three external ones."""
    rows = SCANS.get(title)
    if rows is None:
        return None
    if like_training:
        return rows[0]
    a, b, c, d = (sum(row[k] for row in rows[1:]) / 3 for k in range(4))
    return a, b, c, d


def printed_mask(title: str, like_training: bool) -> Mask | None:
    """As `printed_scan`."""
    rows = MASKS.get(title)
    if rows is None:
        return None
    return rows[0] if like_training else (sum(row[0] for row in rows[1:]) / 3, sum(row[1] for row in rows[1:]) / 3)
