"""The built-in cases in Slicer's Sample Data module."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from MedEnhanceLib.HeadSample import registerHeadSample
from MedEnhanceLib.SampleCase import registerSample
from MedEnhanceLib.SpineSample import registerSpineSample


@pytest.mark.parametrize("register", [registerSample, registerHeadSample, registerSpineSample])
def test_a_sample_is_offered_with_its_checksum(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one Slicer shows the copy that it kept of an earlier version."""
    offered: dict[str, Any] = {}
    module = ModuleType("SampleData")
    module.SampleDataLogic = SimpleNamespace(registerCustomSampleDataSource=offered.update)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SampleData", module)
    register()
    path = Path(url2pathname(urlparse(offered["uris"]).path))
    assert offered["checksums"] == f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert Path(offered["thumbnailFileName"]).is_file()
    assert offered["fileNames"].endswith(".nrrd")
