"""What an object takes over from the series that it is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from medenhance.dicom.derivation import identifier
from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.series import DicomSeries, SliceHeader
from medenhance.dicom.source_header import (
    MAY_BE_EMPTY,
    add_required_elements,
    as_single_frame,
    remove_stale_elements,
    source_headers,
)
from medenhance.errors import MedEnhanceError

# PS3.3, C.7.1 to C.7.2.3: patient, study, patient study and clinical trial, as far as images state them.
TAKEN_OVER = (
    "PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence PatientBirthDate "
    "PatientBirthTime PatientSex OtherPatientIDsSequence OtherPatientNames EthnicGroup PatientComments "
    "PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence "
    "BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization "
    "PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence "
    "LongitudinalTemporalInformationModified StudyInstanceUID StudyDate StudyTime ReferringPhysicianName StudyID "
    "AccessionNumber IssuerOfAccessionNumberSequence StudyDescription PhysiciansOfRecord NameOfPhysiciansReadingStudy "
    "ProcedureCodeSequence ReferencedStudySequence AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence "
    "PatientAge PatientSize PatientWeight Occupation AdditionalPatientHistory MedicalAlerts Allergies PregnancyStatus "
    "SmokingStatus LastMenstrualDate PatientState PatientSexNeutered ClinicalTrialSponsorName ClinicalTrialProtocolID "
    "ClinicalTrialProtocolName ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialSubjectID "
    "ClinicalTrialSubjectReadingID ClinicalTrialTimePointID ClinicalTrialTimePointDescription "
    "ClinicalTrialCoordinatingCenterName TimezoneOffsetFromUTC"
)
# The latest first: when the pixels were made, failing that when the patient was examined.
DATES = (
    ("ContentDate", "ContentTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
ALSO_USED = (
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "SeriesNumber", "SliceThickness"),
    *(name for pair in DATES for name in pair),
    *LOSSY,
)
UTF8 = "ISO_IR 192"
# Instances of the source are numbered while highdicom builds an object; `publish.refer` puts the real ones in.
STAND_IN = "2.25.9"


@dataclass(frozen=True)
class Source:
    """The header that all objects on one series share.

    Attributes:
        series: Its slices in the order of axis D.
        header: Patient, study, frame of reference, dates; texts decoded.
        malformed: Elements of the source that were left out.
        has_positions: Whether its slices lie in a frame of reference. A picture, such as a screen capture, does not.
        notes: What a user should know about the references, one sentence each.
    """

    series: DicomSeries
    header: Dataset
    malformed: tuple[str, ...]
    has_positions: bool
    notes: tuple[str, ...] = ()

    def taken_over(self) -> Dataset:
        """Patient and study, as an object states them."""
        taken = Dataset()
        for keyword in TAKEN_OVER.split():
            if keyword in self.header:
                taken[keyword] = self.header[keyword]
        return taken

    def when(self) -> datetime:
        """Date and time of the source; now where it states none."""
        for date, time in DATES:
            found = _moment(str(self.header.get(date) or ""), str(self.header.get(time) or ""))
            if found is not None:
                return found
        return datetime.now().replace(microsecond=0)


def open_source(series: DicomSeries) -> Source:
    """Read the header of a series again.

    Raises:
        MedEnhanceError: input-missing or input-unreadable when its files are gone or were changed; output-refused when
            it cannot be referred to.
    """
    first = series.slices[0]
    notes: tuple[str, ...] = ()
    if not all(one.sop_instance_uid and one.sop_class_uid for one in series.slices):
        message = f"{first.label} states no identifier by which another DICOM object could refer to it."
        raise MedEnhanceError("output-refused", message, "Export the series again, or write .nrrd instead.")
    if not series.series_uid:
        series = replace(series, series_uid=identifier("SeriesInstanceUID", first.sop_instance_uid))
        notes = ("The source does not say which series it belongs to; the object names one that was made up.",)
    ((_, whole),) = source_headers((first,))
    with tolerant_reading():
        header, malformed = as_single_frame(whole, first)
        remove_stale_elements(header)
        header.SOPClassUID = first.sop_class_uid
        add_required_elements(header, series.series_uid)
        kept, left_out = _kept(header)
    has_positions = all(
        one.is_in_patient and one.orientation is not None and one.pixel_spacing_mm is not None for one in series.slices
    )
    return Source(series, kept, tuple(malformed + left_out), has_positions, notes)


def images(source: Source) -> list[Dataset]:
    """One single-frame image a slice, as far as highdicom looks at it; instance k has the UID `stand_in(k)`."""
    return [_image(source, one, k) for k, one in enumerate(source.series.slices)]


def stand_in(k: int) -> str:
    """The UID by which slice k is named until `publish.refer`."""
    return f"{STAND_IN}{k:06d}"


def slice_of(uid: str) -> int:
    """The slice that a stand-in names."""
    return int(uid.removeprefix(STAND_IN))


def _image(source: Source, one: SliceHeader, k: int) -> Dataset:
    from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage

    image = Dataset()
    image.SOPClassUID = CTImageStorage if source.has_positions else SecondaryCaptureImageStorage
    image.SOPInstanceUID = stand_in(k)
    image.StudyInstanceUID = source.header.StudyInstanceUID
    image.SeriesInstanceUID = source.series.series_uid
    image.Modality = source.series.modality or "OT"
    image.Rows, image.Columns = one.pixels.rows, one.pixels.columns
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(image, keyword, None)
    image.StudyDate = image.StudyTime = None
    for keyword in LOSSY:
        if source.header.get(keyword):
            image[keyword] = source.header[keyword]
    if source.has_positions:
        image.FrameOfReferenceUID = source.header.FrameOfReferenceUID
        image.PositionReferenceIndicator = source.header.get("PositionReferenceIndicator")
        image.ImagePositionPatient = _decimals(one.position_mm)
        # One for all: `read_stack` has seen to it that they differ by less than 0.001.
        image.ImageOrientationPatient = _decimals(source.series.slices[0].orientation)
    if one.pixel_spacing_mm is not None:
        image.PixelSpacing = _decimals(source.series.slices[0].pixel_spacing_mm)
        image.SliceThickness = None  # `segmentation` states that of every frame
    return image


def thicknesses(source: Source) -> list[DSfloat | None]:
    """The thickness of each slice in mm; None where it is not stated (the distance of slices is another matter)."""
    stated = source.header.get("SliceThickness") is not None
    slices = source.series.slices
    return [DSfloat(one.thickness_mm, auto_format=True) if stated and one.thickness_mm else None for one in slices]


def _decimals(values: tuple[float, ...] | None) -> list[DSfloat]:
    """As decimal strings, which have 16 characters."""
    return [DSfloat(value, auto_format=True) for value in values or ()]


def _kept(header: Dataset) -> tuple[Dataset, list[str]]:
    """What objects use of a header, its texts decoded so that they can be written as UTF-8; and what is malformed."""
    kept, malformed = Dataset(), []
    for keyword in (*TAKEN_OVER.split(), *ALSO_USED):
        if keyword not in header or (header[keyword].is_empty and keyword not in MAY_BE_EMPTY):
            continue
        try:
            kept[keyword] = header[keyword]
            for _ in kept.iterall():  # decodes what lies in sequences
                pass
        except Exception:  # whatever a malformed value causes in pydicom
            malformed.append(keyword)
            del kept[keyword]
    kept.SpecificCharacterSet = UTF8
    return kept, malformed


def _moment(date: str, time: str) -> datetime | None:
    """A DICOM date (YYYYMMDD) with a DICOM time (HHMMSS.FFFFFF or less of it); None when it is none."""
    digits = "".join(c for c in date if c.isdigit())
    clock = "".join(c for c in time.split(".")[0] if c.isdigit())[:6].ljust(6, "0")
    try:
        return datetime.strptime(digits + clock, "%Y%m%d%H%M%S")
    except ValueError:
        return None
