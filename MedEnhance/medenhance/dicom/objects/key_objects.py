"""DICOM Key Object Selection (PS3.16, TID 2010): the slices that a reader should look at first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.objects.codes import FOR_RESEARCH, Code
from medenhance.dicom.objects.coding import concept
from medenhance.dicom.objects.content import MAKER, NOTICE, Algorithm, WrittenObject
from medenhance.dicom.objects.publish import identity, publish, series_number
from medenhance.dicom.objects.report_groups import device
from medenhance.dicom.objects.source import images, open_source
from medenhance.dicom.series import DicomSeries

KIND = "key images"
SERIES_NUMBER_STEP = 4000


def write_key_objects(
    source: DicomSeries,
    slices: Sequence[int],
    path: Path,
    algorithm: Algorithm,
    *,
    description: str,
    title: Code = FOR_RESEARCH,
    made: datetime | None = None,
) -> WrittenObject:
    """Write a Key Object Selection.

    Args:
        source: Series: `Volume.series`, its slices in the order of axis D.
        slices: Indices of axis D, the most important first; at least one.
        path: New .dcm file.
        algorithm: Who chose them.
        description: Why, such as "Slices with the highest probability of hemorrhage"; "research use only" is added.
        title: Of CID 7010.
        made: When; by default the date and time of the source.

    Raises:
        ValueError: No slice, one that does not exist, or one twice.
        MedEnhanceError: output-refused, disk-full, input-missing when the source's files are gone.
    """
    from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument

    if not slices or len(set(slices)) < len(slices) or not all(0 <= k < len(source.slices) for k in slices):
        raise ValueError(f"{list(slices)} are no slices of a series of {len(source.slices)}")
    about = open_source(source)
    made = made or about.when()
    series_uid, instance_uid = identity(about, KIND, algorithm, made, tuple(slices), description, title)
    pictures = images(about)
    chosen = [pictures[k] for k in slices]
    with tolerant_reading():
        built = KeyObjectSelectionDocument(
            evidence=chosen,
            content=KeyObjectSelection(
                document_title=concept(title),
                referenced_objects=chosen,
                observer_device_context=device(algorithm),
                description=f"{NOTICE}. {description}.",
            ),
            series_instance_uid=series_uid,
            series_number=series_number(about, SERIES_NUMBER_STEP),
            sop_instance_uid=instance_uid,
            instance_number=1,
            manufacturer=MAKER,
        )
    return publish(built, about, algorithm, path, made, kind=KIND, description=description)
