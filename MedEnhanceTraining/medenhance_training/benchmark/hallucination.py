"""Does a network invent or move anatomy? A process is deleted from all depths, or moved by 5 mm (spec section 8).

Everything else about the subject stays bit for bit as it was. The network must not bring the process back, and must
find the moved one where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import center_of_mass, label

from medenhance.progress import Progress, Silent, checkpoint
from medenhance.spine.labels import PROCESS
from medenhance.spine.support import Structure, structures
from medenhance_training.benchmark.spine_methods import RunsMethod, SpineMethod
from medenhance_training.data.spine.case import Landmark, SpineCase
from medenhance_training.data.spine.config import SpineConfig
from medenhance_training.data.spine.simulate import simulate_case
from medenhance_training.data.spine_source import TEST_SUBJECTS
from medenhance_training.spine_evaluate import Result, SpineRestorer
from medenhance_training.table import Table, number

_SHIFT_MM = 5.0
_RADIUS_MM = 5.0  # of a process's shadow; what counts as brought back lies within it
_RESTORED_SHARE = 0.25  # of that disc, labelled as a process
# T3 to T11: processes that have neighbours on both sides.
_LEVELS = tuple(f"T{number}" for number in range(3, 12))


@dataclass(frozen=True)
class Edits:
    """One subject as drawn, with a process deleted, and with it moved down by 5 mm.

    Attributes:
        process: The process, where it was drawn.
        intact, deleted, moved: The subject, three times.
    """

    process: Landmark
    intact: SpineCase
    deleted: SpineCase
    moved: SpineCase


@dataclass(frozen=True)
class Hallucination:
    """What a method did to the edits of all subjects.

    Attributes:
        num_subjects: How many.
        restored: Share of the deleted processes that were labelled again.
        unwarned: Share of them that were labelled again without a warning: seen in some depth, and sure, says
            `medenhance.spine.support`.
        doubted: Share of all structures found in the subjects as drawn that a warning names: what that warning costs.
        found: Share of the same processes that were labelled while they were there.
        moved_error_mm: Median distance of the moved process's label from where it is; None if none was found.
        intact_error_mm: The same before it was moved.
        change_grey: Mean absolute change of the image, against the clean twin, where the deleted process was.
        image_shift_mm: Largest displacement of the enhanced image from the clean twin about a moved process: whether
            the enhancement itself puts it anywhere else, whatever the segmentation says.
    """

    num_subjects: int
    restored: float
    unwarned: float
    doubted: float
    found: float
    moved_error_mm: float | None
    intact_error_mm: float | None
    change_grey: float
    image_shift_mm: float


def draw_edits(
    num_subjects: int, config: SpineConfig | None = None, progress: Progress | None = None
) -> Iterator[Edits]:
    """Held-out subjects, with a process that is visible in each."""
    config, progress = replace(config or SpineConfig(), with_volume=False), progress or Silent()
    for number_ in range(num_subjects):
        checkpoint(progress, "edits", number_ / num_subjects)
        seed = TEST_SUBJECTS + number_
        intact = simulate_case(seed, config)
        visible = [one for one in intact.landmarks if one.present and one.level in _LEVELS and _in_scan(one, intact)]
        process = visible[int(np.random.default_rng([seed, 7]).integers(len(visible)))]
        edit = process.level, process.side
        deleted = simulate_case(seed, replace(config, deleted=(edit,)))
        moved = simulate_case(seed, replace(config, shifted=((*edit, _SHIFT_MM),)))
        yield Edits(process, intact, deleted, moved)


def measure_hallucination(restorer: SpineRestorer, edits: Sequence[Edits], depth: int) -> Hallucination:
    """Run a method that segments over all edits."""
    restored, unwarned, found, changes, moved_errors, intact_errors, shifts = [], [], [], [], [], [], []
    doubted: list[bool] = []
    for one in edits:
        inside = _disc(one.process, one.intact)
        on_deleted = restorer.restore(one.deleted.projections[depth])
        on_intact = restorer.restore(one.intact.projections[depth])
        on_moved = restorer.restore(one.moved.projections[depth])
        assert on_deleted.labels is not None
        assert on_intact.labels is not None
        assert on_moved.labels is not None
        # A neighbour whose true shadow reaches into the disc is no invention.
        alone = inside & (one.deleted.labels != PROCESS)
        restored.append(bool((on_deleted.labels[alone] == PROCESS).mean() >= _RESTORED_SHARE))
        unwarned.append(restored[-1] and _is_trusted(on_deleted, one))
        doubted += [structure.doubtful for structure in _structures(on_intact, one.intact)]
        found.append(bool((on_intact.labels[inside] == PROCESS).mean() >= _RESTORED_SHARE))
        change = np.abs(on_deleted.image.astype(np.float32) - one.deleted.clean[depth])
        changes.append(float(change[inside].mean()))
        there = replace(one.process, row_mm=one.process.row_mm + _SHIFT_MM)
        moved_errors.append(_distance_mm(on_moved.labels, one.moved, there))
        intact_errors.append(_distance_mm(on_intact.labels, one.intact, one.process))
        around = _around(there, one.moved)
        shift_px = displacement(on_moved.image[around], one.moved.clean[depth][around])
        shifts.append(shift_px * one.moved.pixel_mm)
    return Hallucination(
        len(edits),
        float(np.mean(restored)),
        float(np.mean(unwarned)),
        float(np.mean(doubted)) if doubted else 0.0,
        float(np.mean(found)),
        _median(moved_errors),
        _median(intact_errors),
        float(np.mean(changes)),
        max(shifts),
    )


def displacement(image: np.ndarray, reference: np.ndarray) -> float:
    """How many pixels an image lies from another one where the two correlate best; both (R, C)."""
    ours, theirs = (np.fft.rfft2(x - x.mean(dtype=np.float64)) for x in (image, reference))
    correlation = np.fft.irfft2(ours * np.conj(theirs), image.shape)
    peak = np.array(np.unravel_index(int(correlation.argmax()), image.shape))
    # Beyond half of the window a shift is one to the other side.
    half = np.array(image.shape) // 2
    return float(np.hypot(*((peak + half) % image.shape - half)))


def hallucination_table(methods: Sequence[SpineMethod], edits: Sequence[Edits], depth: int) -> Table:
    """One row a network and training seed."""
    table = Table(
        "A process deleted from every depth, or moved by 5 mm with its rib",
        ("method", "found when there %", "restored when deleted %", "without a warning %",
         "warned of when drawn %", "place mm", "place after moving mm", "change grey", "image moved mm"),
    )  # fmt: skip
    for method in methods:
        for restorer in method.open() if isinstance(method, RunsMethod) else ():
            one = measure_hallucination(restorer, edits, depth)
            table.add(
                method.title,
                number(100 * one.found, 0),
                number(100 * one.restored, 0),
                number(100 * one.unwarned, 0),
                number(100 * one.doubted, 0),
                number(one.intact_error_mm, 2),
                number(one.moved_error_mm, 2),
                number(one.change_grey, 2),
                number(one.image_shift_mm, 2),
            )
    table.notes += [
        f"{len(edits)} held-out subjects, one process each; place: median distance of its label from the truth",
        "without a warning: labelled again, and no warning says that no depth shows it or that the network is not sure",
        "warned of when drawn: of all structures found in the same subjects before anything was deleted",
        "change: of the image against its clean twin, mean absolute, where the deleted process was",
        "image moved: how far the enhanced image lies from the clean twin about the moved process, the worst subject",
    ]
    return table


def _is_trusted(found: Result, edits: Edits) -> bool:
    """Whether a user gets no warning of a structure where the process was, in the subject without it."""
    case, place = edits.deleted, edits.process
    return any(
        not one.doubtful and np.hypot(one.row - place.row, one.column - place.column) * case.pixel_mm <= _RADIUS_MM
        for one in _structures(found, case)
    )


def _structures(found: Result, case: SpineCase) -> tuple[Structure, ...]:
    assert found.labels is not None
    return structures(found.labels, found.image, list(case.projections), found.confidence)


def _disc(process: Landmark, case: SpineCase) -> np.ndarray:
    rows, columns = np.ogrid[: case.labels.shape[0], : case.labels.shape[1]]
    squared = (rows - process.row) ** 2 + (columns - process.column) ** 2
    return np.asarray(squared <= (_RADIUS_MM / case.pixel_mm) ** 2)


def _around(process: Landmark, case: SpineCase) -> tuple[slice, slice]:
    """A square of twice the height of a process about it, inside the image."""
    reach = round(4 * _RADIUS_MM / case.pixel_mm)
    rows, columns = (
        slice(max(round(at) - reach, 0), min(round(at) + reach, size))
        for at, size in zip((process.row_mm / case.pixel_mm, process.column), case.labels.shape, strict=True)
    )
    return rows, columns


def _in_scan(process: Landmark, case: SpineCase) -> bool:
    return bool(case.scan[_disc(process, case)].all())


def _distance_mm(labels: np.ndarray, case: SpineCase, process: Landmark) -> float | None:
    """Distance of the centres of the label and of the true shadow nearest to a process; None beyond 10 mm."""
    truth = _nearest_centre(case.labels, case, process)
    ours = _nearest_centre(labels, case, process)
    if truth is None or ours is None:
        return None
    return float(np.hypot(*(ours - truth)) * case.pixel_mm)


def _nearest_centre(labels: np.ndarray, case: SpineCase, process: Landmark) -> np.ndarray | None:
    parts, count = label(labels == PROCESS)
    if not count:
        return None
    centres = np.array(center_of_mass(labels == PROCESS, parts, range(1, count + 1)))
    place = np.array([process.row_mm, process.column_mm]) / case.pixel_mm - 0.5
    distances = np.hypot(*(centres - place).T)
    nearest = int(distances.argmin())
    return centres[nearest] if distances[nearest] * case.pixel_mm <= 2 * _RADIUS_MM else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
