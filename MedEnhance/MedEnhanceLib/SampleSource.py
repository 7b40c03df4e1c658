"""Offers a built-in case in Slicer's Sample Data module."""

from __future__ import annotations

import hashlib
from pathlib import Path

MODULE_FOLDER = Path(__file__).parents[1]


def offerSample(moduleName: str, path: Path, nodeName: str) -> None:
    """Offer an image file under the name and the icon of a module.

    Slicer keeps a copy of it; the checksum has it take the file again after an update of the extension.
    """
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MedEnhance",
        sampleName=moduleName,
        thumbnailFileName=str(MODULE_FOLDER / "Resources" / "Icons" / f"{moduleName}.png"),
        uris=path.as_uri(),
        fileNames=f"{moduleName}{path.suffix}",
        nodeNames=nodeName,
        checksums=f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
    )
