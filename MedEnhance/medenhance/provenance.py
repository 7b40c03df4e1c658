"""How a result came about, as a derived DICOM series states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medenhance.dicom.derivation import Derivation
    from medenhance.measure.trust import RunFacts

What = Literal["denoised", "removed", "enhanced"]

# Behind the description of the series.
SUFFIXES: dict[What, str] = {
    "denoised": "denoised (research use only)",
    "removed": "removed by denoising (research use only)",
    "enhanced": "enhanced (research use only)",
}
WORK: dict[What, str] = {
    "denoised": "Low-dose CT denoising",
    "removed": "Low-dose CT denoising",
    "enhanced": "Enhancement of a coronal ultrasound projection",
}


@dataclass(frozen=True)
class Provenance:
    """How a volume was made from its DICOM source.

    Attributes:
        model_id, model_version, weights_sha256: The model.
        strength: Share of the model's output in the blend with the input, in [0, 1].
        precision: "fp32", "bf16" or "fp16".
        what: "denoised", "removed" for what was taken away (input minus output), or "enhanced" for a projection.
    """

    model_id: str
    model_version: str
    weights_sha256: str
    strength: float
    precision: str
    what: What = "denoised"

    @classmethod
    def of_run(cls, facts: RunFacts, what: What = "denoised") -> Provenance:
        """That of what a run made."""
        return cls(facts.model_id, facts.model_version, facts.weights_sha256, facts.strength, facts.precision, what)

    def derivation(self) -> Derivation:
        """How the derived series says where it comes from."""
        from medenhance.dicom.derivation import Derivation

        return Derivation(
            model_id=self.model_id,
            model_version=self.model_version,
            weights_sha256=self.weights_sha256,
            description=f"{WORK[self.what]} with {self.model_id} {self.model_version}. Research use only.",
            series_suffix=SUFFIXES[self.what],
            parameters={"strength": f"{self.strength:g}", "precision": self.precision},
        )
