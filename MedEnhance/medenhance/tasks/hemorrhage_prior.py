"""The volume in an earlier report on the same patient."""

from __future__ import annotations

import json
from pathlib import Path

from medenhance.errors import MedEnhanceError

REPORT_FILE = "report.json"
_HINT = "Give report.json of an earlier detect-hemorrhage run, or its folder."


def prior_volume_ml(path: Path) -> float:
    """Total volume of a report, mL.

    Raises:
        MedEnhanceError: input-missing, input-unsuitable.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        status, found = value["status"], value["findings"]
        ml = None if found is None else float(found["total"]["ml"])
    except OSError as error:
        raise MedEnhanceError("input-missing", f"There is no report at {file}.", _HINT) from error
    except (ValueError, KeyError, TypeError) as error:
        raise MedEnhanceError("input-unsuitable", f"{file} is no report on a head CT.", _HINT) from error
    if ml is None:
        raise MedEnhanceError("input-unsuitable", f"The earlier scan was {status}: it has no volume.", _HINT)
    return ml
