"""What the header of a DICOM head CT says about how it was made; "" for every other format."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from medenhance.dicom.headers import read_dataset, tolerant_reading
from medenhance.volume import Volume

HEAD_WORDS = ("HEAD", "BRAIN", "SKULL", "CRAN", "CEREBR", "ORBIT", "SINUS", "FACE", "IAC", "TEMPORAL")
# Words with which technologists say that no agent was given.
_NO_AGENT = ("", "NONE", "NO", "N", "NON", "WITHOUT", "W/O", "NATIVE", "NIL", "0")
# GE's kernels for bone and edges; Siemens numbers its kernels, 55 and more are sharp (its own manuals' naming).
_SHARP_NAMES = ("BONE", "BONEPLUS", "EDGE", "LUNG", "DETAIL+", "ULTRA")
_SIEMENS = re.compile(r"^[A-Z][a-z]?(\d\d)[a-z]?$")
_SIEMENS_SHARP_FROM = 55


@dataclass(frozen=True)
class ScanTags:
    """Of the first slice.

    Attributes:
        body_part: Body Part Examined.
        agent: Contrast/Bolus Agent, "" when none was given.
        kernel: Convolution Kernel.
        image_type: Image Type, joined by a backslash.
        descriptions: Study and series description.
    """

    body_part: str = ""
    agent: str = ""
    kernel: str = ""
    image_type: str = ""
    descriptions: str = ""

    @property
    def names_a_head(self) -> bool:
        return any(word in self.body_part.upper() for word in HEAD_WORDS)

    @property
    def is_sharp(self) -> bool:
        """Whether the kernel is one for bone."""
        numbered = _SIEMENS.match(self.kernel)
        if numbered:
            return int(numbered.group(1)) >= _SIEMENS_SHARP_FROM
        return self.kernel.upper() in _SHARP_NAMES


def scan_tags(volume: Volume) -> ScanTags:
    """The tags of a volume that was read from DICOM."""
    if volume.series is None:
        return ScanTags()
    with tolerant_reading():
        dataset = read_dataset(volume.series.slices[0].path)
        agent = _text(dataset, "ContrastBolusAgent")
        return ScanTags(
            body_part=_text(dataset, "BodyPartExamined"),
            agent="" if agent.upper() in _NO_AGENT else agent,
            kernel=_text(dataset, "ConvolutionKernel").split("\\")[0],
            image_type=_text(dataset, "ImageType"),
            descriptions=f"{_text(dataset, 'StudyDescription')} {_text(dataset, 'SeriesDescription')}".strip(),
        )


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return "\\".join(str(item).strip() for item in value) if hasattr(value, "__iter__") else str(value)
