"""A result says where it comes from, also after the scene was saved and loaded."""

from __future__ import annotations

import pytest
from mrml_samples import REPORT, filled, newScene, ramp, strangeFolder

from MedEnhanceLib.Provenance import provenanceOf, setProvenance


@pytest.fixture
def scene():
    return newScene()


def test_what_was_noted_is_found_again(scene):
    source, result = filled(ramp(), scene), filled(ramp(), scene)
    setProvenance(result, REPORT, source, "removed")
    found = provenanceOf(result)
    assert found["input"] is source
    assert found["report"] == REPORT
    assert found["strength"] == 0.8
    assert found["what"] == "removed"
    assert [found[key] for key in ("model_id", "weights_sha256", "device")] == ["redcnn-compact", "ab" * 32, "cpu"]
    assert result.GetAttribute("MedEnhance.Derived") == "1"
    assert result.GetAttribute("MedEnhance.ModelVersion") == "1.0.0"
    assert result.GetAttribute("MedEnhance.Notice") == "Research use only"


def test_a_volume_that_is_not_ours_has_none(scene):
    assert provenanceOf(filled(ramp(), scene)) is None
    assert provenanceOf(None) is None


def test_it_survives_saving_and_loading(scene, tmp_path):
    for name in ("a", "b"):  # so that ids differ after loading into a scene with other nodes
        filled(ramp(), scene, name)
    source, result = filled(ramp(), scene, "source"), filled(ramp(), scene, "result")
    setProvenance(result, REPORT, source)
    path = strangeFolder(tmp_path) / "scene.mrml"
    scene.SetURL(str(path))
    assert scene.Commit()
    loaded = newScene()
    filled(ramp(), loaded)
    loaded.SetURL(str(path))
    # Voxels are not saved with the scene file, so the volumes are there without an image.
    loaded.Import()
    found = provenanceOf(loaded.GetFirstNodeByName("result"))
    assert found["report"] == REPORT
    assert found["input"].GetName() == "source"


def test_a_deleted_input_is_gone_and_a_damaged_report_too(scene):
    source, result = filled(ramp(), scene), filled(ramp(), scene)
    setProvenance(result, REPORT, source)
    scene.RemoveNode(source)
    result.SetAttribute("MedEnhance.Report", '{"run":')
    result.SetAttribute("MedEnhance.Strength", "much")
    found = provenanceOf(result)
    assert found["input"] is None
    assert found["report"] is None
    assert found["strength"] == 1.0


def test_a_second_run_replaces_the_first(scene):
    first, second, result = filled(ramp(), scene), filled(ramp(), scene), filled(ramp(), scene)
    setProvenance(result, REPORT, first)
    setProvenance(result, {**REPORT, "run": {**REPORT["run"], "strength": 0.25}}, second)
    assert provenanceOf(result)["strength"] == 0.25
    assert provenanceOf(result)["input"] is second
    assert result.GetNumberOfNodeReferences("MedEnhance.Input") == 1
