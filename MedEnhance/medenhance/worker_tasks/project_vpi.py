"""The request "project-vpi": an ultrasound volume of the back becomes coronal projections."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medenhance.worker_tasks.running import Running

if TYPE_CHECKING:
    from medenhance.tasks.project_vpi import ProjectionRequest


@dataclass(frozen=True)
class ProjectVpiOptions:
    """The "options" of a "project-vpi" request."""

    axes: str | None = None
    roi: str | None = None
    image_to_probe: str | None = None
    depths_mm: tuple[float, ...] | None = None
    thickness_mm: float = 10.0
    blend: Literal["mean", "max"] = "mean"
    trust_axes: bool = False
    series: str | None = None

    def request(self, source: Path, output: Path) -> ProjectionRequest:
        """What the task takes."""
        from medenhance.tasks.project_vpi import ProjectionRequest

        return ProjectionRequest(
            input=source,
            output=output,
            axes=self.axes,
            roi=None if self.roi is None else Path(self.roi),
            image_to_probe=None if self.image_to_probe is None else Path(self.image_to_probe),
            depths_mm=self.depths_mm,
            thickness_mm=self.thickness_mm,
            blend=self.blend,
            trust_axes=self.trust_axes,
            series=self.series,
        )


@dataclass(frozen=True)
class ProjectVpiMessage:
    """A "project-vpi" request."""

    id: str
    task: Literal["project-vpi"]
    input: str
    output: str
    options: ProjectVpiOptions = field(default_factory=ProjectVpiOptions)


def run(message: ProjectVpiMessage, running: Running) -> dict[str, Any]:
    """Project, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.tasks.project_vpi import project_vpi

    request = message.options.request(Path(message.input), Path(message.output))
    found = project_vpi(request, running.progress)
    files = [f"vpi_d{number}.nrrd" for number in range(1, len(found.projections) + 1)]
    return {
        "outputs": {"output": message.output},
        "files": files,
        "depths_mm": list(found.depths_mm),
        "lamina_mm": found.lamina_mm,
        "notes": list(found.notes),
    }
