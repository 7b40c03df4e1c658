"""The methods of the paper's Table 1 as values: which runs they need, and what they make of a projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from medenhance.enhance_projection import enhance_projection
from medenhance.measure.stripes import scan_area
from medenhance.predict import Predictor
from medenhance_training.benchmark.spine_fills import FILLS, Fill
from medenhance_training.benchmark.style_transfer import BandStyle, in_style, style_of
from medenhance_training.data.spine_bank import Subjects, projections
from medenhance_training.data.spine_source import VALIDATION_SUBJECTS
from medenhance_training.methods import TrainedRuns
from medenhance_training.spine_evaluate import NetworkRestorer, Result, SpineRestorer


class SpineMethod(Protocol):
    """A method that is not opened yet.

    Attributes:
        title: As in a table; those of `paper_table1.TABLE_1` stand beside the paper's numbers.
    """

    @property
    def title(self) -> str: ...

    def open(self) -> list[SpineRestorer]:
        """One for each training seed; one alone where nothing was trained."""


@dataclass(frozen=True)
class InputMethod:
    """The projection itself."""

    title: str = "input"

    def open(self) -> list[SpineRestorer]:
        return [_Unchanged()]


class RunsMethod(TrainedRuns):
    """A network that enhances, segments or both."""

    def open(self) -> list[SpineRestorer]:
        return [NetworkRestorer(predictor) for predictor in self.predictors()]


@dataclass(frozen=True)
class FillMethod:
    """A classical fill, with a segmenter on what it returns where there is one.

    Attributes:
        fill: The fill.
        segmenters: Runs of the network that segments.
    """

    fill: Fill
    segmenters: RunsMethod | None = None

    @property
    def title(self) -> str:
        return self.fill.title

    def open(self) -> list[SpineRestorer]:
        if self.segmenters is None:
            return [_Filled(self.fill, None)]
        return [_Filled(self.fill, predictor) for predictor in self.segmenters.predictors()]


@dataclass(frozen=True)
class TransferMethod:
    """WaveCT: the projection takes the style of a clean one, then is segmented.

    Attributes:
        segmenters: Runs of the segmenter that learned on clean projections.
        title: As in a table.
    """

    segmenters: RunsMethod
    title: str = "WaveCT"

    def open(self) -> list[SpineRestorer]:
        style = clean_style()
        return [_Styled(style, predictor) for predictor in self.segmenters.predictors()]


def clean_style() -> BandStyle:
    """The style of a clean projection that no test shows."""
    (one,) = projections(Subjects(VALIDATION_SUBJECTS - 1, 1), None)
    return style_of(one.clean, one.scan)


def fill_methods(segmenters: RunsMethod | None) -> list[FillMethod]:
    """All classical methods."""
    return [FillMethod(fill, segmenters) for fill in FILLS]


@dataclass(frozen=True)
class _Unchanged:
    def restore(self, image: np.ndarray) -> Result:
        return Result(image, None)


@dataclass(frozen=True)
class _Filled:
    fill: Fill
    segmenter: Predictor | None

    def restore(self, image: np.ndarray) -> Result:
        filled = np.where(scan_area(image), self.fill.restore(image), image)
        if self.segmenter is None:
            return Result(filled, None)
        return Result(filled, enhance_projection(self.segmenter, filled).labels)


@dataclass(frozen=True)
class _Styled:
    style: BandStyle
    segmenter: Predictor

    def restore(self, image: np.ndarray) -> Result:
        styled = in_style(image, scan_area(image), self.style)
        return Result(styled, enhance_projection(self.segmenter, styled).labels)
