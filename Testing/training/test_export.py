"""Export: a weights file that proves itself, and a card that states only what was measured."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from held_out_slices import pair
from safetensors.torch import load_file
from tiny_runs import adversarial, supervised

from medenhance.errors import MedEnhanceError
from medenhance.manifest import RESOURCES, entry_to_json, load_manifest
from medenhance.predict import Predictor
from medenhance.weights import entry_of, load_state, require_golden
from medenhance_training import evaluation as evaluation_module
from medenhance_training import export as export_module
from medenhance_training.benchmark.pairs import REAL
from medenhance_training.checkpoint import load_published
from medenhance_training.commands import export as command
from medenhance_training.commands.fit import fit
from medenhance_training.data.index import Case, IndexedFile, make_index, save_index
from medenhance_training.data.sources import LowDoseData
from medenhance_training.evaluate import SliceFigures, TissueShift
from medenhance_training.evaluation import Evaluation, evaluate_method, save_evaluation
from medenhance_training.export import Labels, bundle, export, measured_precisions
from medenhance_training.methods import RunMethod, trial_entry
from medenhance_training.model_card import (
    all_training_data,
    limits,
    metrics,
    recipe_command,
    training_data,
    trusted_range,
)
from medenhance_training.recipes import RECIPES
from medenhance_training.run_record import to_plain

LABELS = Labels("tiny", "1.2.0", "A tiny denoiser", "To test the export.", "Apache-2.0")


@dataclass(frozen=True)
class Trained:
    """A run and its evaluation."""

    run: Path
    evaluation: Evaluation


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    run = fit(supervised(tmp_path_factory.mktemp("runs") / "tiny"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation_module, "peak_memory_mb", lambda *_: 12.0)
        pairs = [pair(0), pair(1, subset=REAL), pair(2, sd_hu=0.0, subset="patients, unchanged dose")]
        return Trained(run, evaluate_method(RunMethod(run, device="cpu", precision="fp32"), pairs))


@pytest.fixture(autouse=True)
def small_slice(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    low = pair(5).low[0]
    monkeypatch.setattr(export_module, "sample_image", lambda _: low)
    return low


def figures(evaluation: Evaluation, **changes: Any) -> SliceFigures:
    return replace(evaluation.slices[0], **changes)


def test_the_file_carries_the_average_and_passes_its_own_test(trained: Trained, tmp_path: Path) -> None:
    exported = export(trained.run, LABELS, trained.evaluation, tmp_path / "out")
    _, network = load_published(trained.run)

    assert require_golden(exported.weights) == 0.0
    assert entry_of(exported.weights) == exported.entry
    for name, tensor in load_state(exported.weights, exported.entry).items():
        assert torch.equal(tensor, network.state_dict()[name])
    x = load_file(exported.weights)["golden.input"]
    assert x.shape == (1, 1, 64, 64)
    assert x.std() > 0.01  # a slice, not a constant


def test_the_predictor_of_the_file_gives_what_was_evaluated(trained: Trained, tmp_path: Path) -> None:
    exported = export(trained.run, LABELS, trained.evaluation, tmp_path / "out")
    low = pair(0).low

    by_file = Predictor.load(exported.entry, exported.weights, device="cpu", precision="fp32").restore(low)

    by_run = RunMethod(trained.run, device="cpu", precision="fp32").open().restore(low, "soft")
    np.testing.assert_array_equal(by_file, by_run)


def test_the_same_run_gives_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    one, two = (export(trained.run, LABELS, trained.evaluation, tmp_path / name) for name in "ab")

    for a, b in ((one.weights, two.weights), (one.card, two.card), (one.manifest_entry, two.manifest_entry)):
        assert a.read_bytes() == b.read_bytes()


def test_a_network_with_a_critic_exports_its_generator(tmp_path: Path, trained: Trained) -> None:
    run = fit(adversarial(tmp_path / "gan"))
    method = RunMethod(run)
    evaluation = replace(trained.evaluation, weights_digest=export_module.weights_digest(method.state()))

    exported = export(run, LABELS, evaluation, tmp_path / "out")

    assert exported.entry.network == "mtdgan"
    assert require_golden(exported.weights) < 1e-5
    assert not any("critic" in name for name in load_file(exported.weights))


def test_figures_of_other_weights_are_refused_and_nothing_is_written(trained: Trained, tmp_path: Path) -> None:
    foreign = replace(trained.evaluation, weights_digest="0" * 64)

    with pytest.raises(MedEnhanceError, match="not of the weights of this run"):
        export(trained.run, LABELS, foreign, tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_a_file_above_the_limit_is_refused_and_nothing_is_written(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match=r"0\.00 MB are allowed"):
        export(trained.run, LABELS, trained.evaluation, tmp_path / "out", max_bytes=1000)

    assert list(tmp_path.iterdir()) == []


def test_an_exported_model_is_not_overwritten(trained: Trained, tmp_path: Path) -> None:
    export(trained.run, LABELS, trained.evaluation, tmp_path)

    with pytest.raises(MedEnhanceError, match="exists"):
        export(trained.run, LABELS, trained.evaluation, tmp_path)


def test_a_bundled_model_is_listed_beside_the_others(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "models.json").write_text('{"schema": 1, "models": []}')
    for name, is_default in (("first", True), ("second", False), ("third", True)):
        labels = replace(LABELS, id=name, bundled=True, default=is_default)
        bundle(export(trained.run, labels, trained.evaluation, tmp_path / "out"), tmp_path)

    entries = load_manifest(tmp_path / "models.json")

    assert [(e.id, e.default, e.bundled) for e in entries.values()] == [
        ("first", False, True),
        ("second", False, True),
        ("third", True, True),
    ]
    for entry in entries.values():
        assert (tmp_path / f"{entry.id}.md").is_file()
        require_golden(tmp_path / entry.files[0].name)


def test_a_first_model_that_is_no_default_leaves_the_manifest_alone(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "models.json").write_text('{"schema": 1, "models": []}')
    exported = export(trained.run, replace(LABELS, bundled=True), trained.evaluation, tmp_path / "out")

    with pytest.raises(MedEnhanceError, match="exactly one default"):
        bundle(exported, tmp_path)

    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["models.json"]


def test_metrics_are_those_of_the_evaluation(trained: Trained) -> None:
    found = metrics(trained.evaluation)
    real = next(s for s in trained.evaluation.summaries() if s.subset == REAL)

    assert found[f"{REAL}: PSNR in [-160, 240] HU, dB"] == pytest.approx(real.psnr_db.mean, abs=1e-4)
    assert found[f"{REAL}: shift of soft tissue, HU"] == pytest.approx(real.soft_shift_hu, abs=1e-4)
    assert not any(name.startswith("seconds") for name in found)  # those are of a machine, not of a model


def test_the_trusted_range_is_what_was_measured_with_a_margin(trained: Trained) -> None:
    def soft(hu: float) -> tuple[TissueShift, ...]:
        return (TissueShift("soft", hu, hu, 9000), TissueShift("air", 50.0, 50.0, 9000))

    slices = [
        figures(trained.evaluation, noise_sd_before_hu=12.3, spacing_mm=0.5, shifts=soft(-0.4)),
        figures(trained.evaluation, noise_sd_before_hu=88.8, spacing_mm=0.9, shifts=soft(0.4), case="other"),
        figures(
            trained.evaluation,
            noise_sd_before_hu=4.5,
            spacing_mm=0.7,
            shifts=soft(9.0),
            subset="patients, unchanged dose",
        ),
    ]
    found = trusted_range(replace(trained.evaluation, slices=tuple(slices)))

    assert found.noise_sd_hu == (4.0, 90.0)
    assert found.spacing_mm == pytest.approx((0.47, 0.95))
    assert found.max_abs_bias_hu == pytest.approx(0.6)  # 1.5 times 0.4; neither air nor a clean slice widens it
    assert 0 < found.max_residual_structure <= 1


def test_an_evaluation_that_shows_too_little_states_no_range(trained: Trained) -> None:
    blind = figures(trained.evaluation, noise_sd_before_hu=None)

    with pytest.raises(MedEnhanceError, match="too little"):
        trusted_range(replace(trained.evaluation, slices=(blind,)))


def test_a_short_format_is_allowed_only_if_its_result_was_near(
    trained: Trained, small_slice: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, network = load_published(trained.run)
    allowed = measured_precisions(trial_entry(published), network, small_slice)
    monkeypatch.setattr(export_module, "PRECISION_TOLERANCE_HU", 0.0)

    assert allowed == ("fp32", "bf16", "fp16")
    assert measured_precisions(trial_entry(published), network, small_slice) == ("fp32",)
    assert next(network.parameters()).dtype == torch.float32


def test_training_data_come_from_the_index_of_the_run(tmp_path: Path) -> None:
    def case(name: str, source: str, licence: str, low: tuple[IndexedFile, ...]) -> Case:
        file = IndexedFile(f"{name}.dcm", "0" * 64, 1)
        return Case(name, name, source, licence, 0.7, 3.0, "", 1.0, (file,), low)

    low = (IndexedFile("low.dcm", "0" * 64, 1),)
    cases = [case("a", "one", "CC0", ()), case("b", "one", "CC0", ()), case("c", "two", "own", low)]
    save_index(make_index(cases), tmp_path / "index.json")
    config = {"index": str(tmp_path / "index.json"), "licences": [], "num_phantoms": 60}

    assert training_data(config) == (
        "one: 2 scans, lower doses simulated, licence CC0",
        "two: 1 scan, real pairs, licence own",
        "60 random phantom slices, lower doses simulated",
    )
    assert training_data({**config, "licences": ["own"], "num_phantoms": 0}) == (
        "two: 1 scan, real pairs, licence own",
    )


def test_a_run_that_starts_from_published_weights_names_them_and_their_data() -> None:
    bundled = load_manifest()["redcnn-compact"]
    usual = RECIPES["redcnn-compact"]()
    used = replace(usual, init_from=RESOURCES / "redcnn-compact.safetensors", data=LowDoseData(num_phantoms=7))
    record = json.loads(json.dumps({"recipe": "redcnn-compact", "config": to_plain(used)}))

    assert recipe_command(record).startswith(f"{bundled.recipe} (published as redcnn-compact {bundled.version}, commit")
    assert all_training_data(record) == (*bundled.training_data, "7 random phantom slices, lower doses simulated")


def test_the_recipe_names_what_was_changed_and_no_place_on_disk() -> None:
    usual = RECIPES["redcnn-compact"]()
    used = replace(usual, run=Path("/somewhere/run"), loop=replace(usual.loop, samples=1234, minutes=5.0), threads=2)
    record = json.loads(json.dumps({"recipe": "redcnn-compact", "config": to_plain(used)}))

    assert recipe_command(record) == "redcnn-compact --loop.samples 1234"


def test_limits_say_how_much_was_real(trained: Trained) -> None:
    assert "Research use only" in limits(trained.evaluation)[0]
    assert "real in 1 of them" in limits(trained.evaluation)[1]


def test_the_command_writes_weights_entry_and_card(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_evaluation(trained.evaluation, tmp_path / "evaluation.json")
    args = command.Export(
        run=trained.run, id="tiny", evaluation=tmp_path / "evaluation.json", output=tmp_path / "out", max_mb=1.0
    )

    assert command.run(args) == 0

    printed = capsys.readouterr().out.split()
    assert [Path(line).name for line in printed] == ["tiny.safetensors", "tiny.json", "tiny.md"]
    entry = entry_of(tmp_path / "out" / "tiny.safetensors")
    assert json.loads((tmp_path / "out" / "tiny.json").read_text()) == entry_to_json(entry)
    card = (tmp_path / "out" / "tiny.md").read_text()
    for stated in (entry.files[0].sha256, entry.commit, f"{entry.trusted.max_abs_bias_hu:g} HU", "Research use only"):
        assert stated in card
