"""What the worker can do: its tasks by name, each with the type of its requests and the function that does them.

To add one: a file here with its message and its `run`, and a line in `TASKS`. Nothing heavy is imported before a
request needs it: a list of the models must not wait for PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from medenhance.worker_tasks import (
    denoise_ct,
    detect_hemorrhage,
    doctor,
    enhance_spine,
    export_dicom,
    export_hemorrhage,
    export_segmentation,
    hello,
    measure_hemorrhage,
    measure_uca,
    model_add,
    model_delete,
    model_download,
    model_verify,
    models,
    pack_export,
    pack_import,
    project_vpi,
    worklist_hemorrhage,
)
from medenhance.worker_tasks.running import Running

__all__ = ["TASKS", "Handler", "Message", "Running"]


class Message(Protocol):
    """What all requests have."""

    @property
    def id(self) -> str: ...

    @property
    def task(self) -> str: ...


# Takes the request; returns what the event "result" holds.
Handler = Callable[[Any, Running], dict[str, Any]]

TASKS: dict[str, tuple[type[Message], Handler]] = {
    "hello": (hello.HelloMessage, hello.run),
    "denoise-ct": (denoise_ct.DenoiseCtMessage, denoise_ct.run),
    "project-vpi": (project_vpi.ProjectVpiMessage, project_vpi.run),
    "enhance-spine": (enhance_spine.EnhanceSpineMessage, enhance_spine.run),
    "measure-uca": (measure_uca.MeasureUcaMessage, measure_uca.run),
    "detect-hemorrhage": (detect_hemorrhage.DetectHemorrhageMessage, detect_hemorrhage.run),
    "measure-hemorrhage": (measure_hemorrhage.MeasureHemorrhageMessage, measure_hemorrhage.run),
    "export-hemorrhage": (export_hemorrhage.ExportHemorrhageMessage, export_hemorrhage.run),
    "worklist-hemorrhage": (worklist_hemorrhage.WorklistHemorrhageMessage, worklist_hemorrhage.run),
    "export-dicom": (export_dicom.ExportDicomMessage, export_dicom.run),
    "export-segmentation": (export_segmentation.ExportSegmentationMessage, export_segmentation.run),
    "models": (models.ModelsMessage, models.run),
    "model-download": (model_download.ModelDownloadMessage, model_download.run),
    "model-verify": (model_verify.ModelVerifyMessage, model_verify.run),
    "model-delete": (model_delete.ModelDeleteMessage, model_delete.run),
    "model-add": (model_add.ModelAddMessage, model_add.run),
    "pack-export": (pack_export.PackExportMessage, pack_export.run),
    "pack-import": (pack_import.PackImportMessage, pack_import.run),
    "doctor": (doctor.DoctorMessage, doctor.run),
}
