"""Coded concepts that the objects use.

Every code with the scheme SCT, DCM or UCUM stands in the dictionaries of PS3.16 that pydicom carries
(`pydicom.sr.codedict`), with the meaning given there; a test looks each of them up. Codes with the scheme 99MEDENHANCE
are our own, because those dictionaries have none.
"""

from __future__ import annotations

from dataclasses import dataclass

PRIVATE_SCHEME = "99MEDENHANCE"


@dataclass(frozen=True)
class Code:
    """A coded concept: value, coding scheme and what it means."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Quantity:
    """What a number measures.

    Attributes:
        name: Concept, such as volume.
        unit: UCUM.
        derivation: How many values became one, such as mean or maximum (CID 7464).
    """

    name: Code
    unit: Code
    derivation: Code | None = None


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


# CID 7150: categories of segmented properties. Slicer calls the first one "Morphologically Altered Structure".
MORPHOLOGICALLY_ABNORMAL = _sct("49755003", "Morphologically Abnormal Structure")
ANATOMICAL_STRUCTURE = _sct("91723000", "Anatomical Structure")
# CID 7151 and 7194: types of segmented properties.
HEMORRHAGE = _sct("50960005", "Hemorrhage")
RIB = _sct("113197003", "Rib")
TRANSVERSE_PROCESS = _sct("73400003", "Transverse process or vertebra")  # CID 6115, sic
VERTEBRA = _sct("51282000", "Vertebra")
# CID 4 and 7151: regions. The dictionaries name no epidural, subdural or cerebral parenchymal space.
BRAIN = _sct("12738006", "Brain")
INTRACRANIAL = _sct("1101003", "Intracranial")
BRAIN_VENTRICLE = _sct("35764002", "Brain ventricle")
SUBARACHNOID_SPACE = _sct("35951006", "Subarachnoid space")
THORACIC_SPINE = _sct("122495006", "Thoracic spine")
LUMBAR_SPINE = _sct("122496007", "Lumbar spine")
SPINE = _sct("421060004", "Spine")
# CID 244.
LEFT, RIGHT, BILATERAL = _sct("7771000", "Left"), _sct("24028007", "Right"), _sct("51440002", "Bilateral")
# CID 240 and what they say something about.
PRESENT, ABSENT = _sct("52101004", "Present"), _sct("272519000", "Absent")
PRESENCE = _dcm("121052", "Presence of property")
# What was done to the patient (CID 100 has the general one).
CT_OF_HEAD = _sct("303653007", "Computed tomography of head (procedure)")
IMAGING_PROCEDURE = _sct("363679005", "Imaging procedure")
# CID 7162 and 7010.
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
FOR_RESEARCH = _dcm("113009", "For Research")
COMMENT = _dcm("121106", "Comment")
# CID 7464.
MEAN, MAXIMUM = _sct("373098007", "Mean"), _sct("56851009", "Maximum")
# Units; 1 cm3 is 1 mL, for which the dictionaries have no code.
CUBIC_CENTIMETRE = Code("cm3", "UCUM", "cubic centimeter")
MILLIMETRE = Code("mm", "UCUM", "mm")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
NO_UNITS = Code("1", "UCUM", "no units")
DEGREE = Code("deg", "UCUM", "Degree")

VOLUME_ML = Quantity(_sct("118565006", "Volume"), CUBIC_CENTIMETRE)
ELLIPSOID_VOLUME_ML = Quantity(_dcm("121221", "Volume of ellipsoid"), CUBIC_CENTIMETRE)  # ABC/2
MAX_DIAMETER_MM = Quantity(_sct("81827009", "Diameter"), MILLIMETRE, MAXIMUM)
MEAN_HU = Quantity(_dcm("112031", "Attenuation Coefficient"), HOUNSFIELD, MEAN)
PROBABILITY = Quantity(_dcm("122157", "Probability"), NO_UNITS)  # 0 to 1
MIDLINE_SHIFT_MM = Quantity(Code("midline-shift", PRIVATE_SCHEME, "Midline shift"), MILLIMETRE)
CURVE_ANGLE_DEG = Quantity(Code("ultrasound-curve-angle", PRIVATE_SCHEME, "Ultrasound curve angle"), DEGREE)
