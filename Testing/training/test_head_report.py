"""From a run on head CT to its evaluation, its statement and its exported model with a calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.head_ct.calibration import Calibration, OperatingPoint
from medenhance.head_ct.frame import FrameConfig
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.prediction import predict_head
from medenhance.manifest import entry_from_json, entry_to_json
from medenhance.predict import Predictor
from medenhance.strict_json import to_json
from medenhance.weights import entry_of, require_golden
from medenhance_training import export as export_module
from medenhance_training.__main__ import main
from medenhance_training.benchmark import head_ct
from medenhance_training.commands import evaluate as evaluate_command
from medenhance_training.commands.fit import fit
from medenhance_training.config import TrainingData
from medenhance_training.data.head_bank import FramedScan
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_held_out import HeldOutScan, SetName, held_out_scan
from medenhance_training.data.head_stream import HeadScanStream, Place
from medenhance_training.export import Labels
from medenhance_training.head_report import HeadEvaluation, evaluate_head_run
from medenhance_training.model_card import recipe_command, training_data
from medenhance_training.recipes import recipe
from medenhance_training.run_record import to_plain
from medenhance_training.statement import read_evaluation, statement

COARSE = HeadConfig(size_px=64, slice_mm=(10.0, 10.0))
POINT = OperatingPoint("balanced", 0.4, 0.9, 0.9, "tiny scans")
FITTED = Calibration(1.5, -0.2, (POINT,), MaskRule(0.5))


@dataclass(frozen=True)
class TinyHeadData:
    """Stands where a recipe has simulated scans: noise with a bright block."""

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        rng = np.random.default_rng(0)
        share = np.zeros((5, 64, 64), np.uint8)
        share[2:4, 20:30, 20:30] = 255
        scans = [FramedScan(n, rng.integers(20, 45, share.shape).astype(np.int16), share * (n % 2)) for n in range(4)]
        return TrainingData(HeadScanStream(scans, Place(seed, batch_size * num_processes, rank, num_processes)), [])


@dataclass(frozen=True)
class CoarseSets:
    """Held-out sets of few coarse scans, every other one with blood."""

    scans: int = 4
    calibration: int = 2
    prevalence: float = 0.5

    def count(self, name: SetName) -> int:
        return self.scans

    def test(self, name: SetName) -> Iterator[HeldOutScan]:
        return (held_out_scan(n, replace(COARSE, prevalence=float(n % 2))) for n in range(self.scans))

    def for_calibration(self) -> Iterator[HeldOutScan]:
        return self.test("noise")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = recipe("smart-net-scratch-compact")
    network = config.objective.network
    tiny = replace(
        network,
        input=replace(network.input, frame=FrameConfig(64, 4.0)),
        encoder=replace(network.encoder, width=4, expansion=2, blocks=(1, 1, 1, 1)),
        decoder=replace(network.decoder, widths=(8, 8, 8, 8, 8)),
        lstm_hidden=8,
        hidden=8,
    )
    loop = replace(config.loop, samples=4, batch_size=2)
    objective = replace(config.objective, network=tiny)
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    done = replace(config, objective=objective, loop=loop, data=TinyHeadData(), run=folder, threads=1)
    return fit(replace(done, precision="32-true"))


@pytest.fixture(scope="module")
def evaluation(run: Path) -> Iterator[HeadEvaluation]:
    with pytest.MonkeyPatch.context() as patch:
        # Four samples teach nothing that could be calibrated.
        patch.setattr(head_ct, "fit_calibration", lambda figures, words: FITTED)
        yield evaluate_head_run(run, CoarseSets(), "cpu", "fp32", names=("like training", "noise"))  # type: ignore[arg-type]


def test_an_evaluation_is_read_back_and_stated(evaluation: HeadEvaluation, tmp_path: Path) -> None:
    write_json(tmp_path / "e.json", to_json(evaluation))
    assert read_evaluation(tmp_path / "e.json") == evaluation
    stated = statement(evaluation)
    assert (stated.trusted, stated.calibration) == (None, FITTED)
    assert "simulated scans: sensitivity at 'balanced'" in stated.metrics
    assert "simulated scans, shifted noise: AUC" in stated.metrics
    assert any("Notifies only" in limit for limit in stated.limits)
    assert any("4 like the training (2 with blood) and 4 shifted" in limit for limit in stated.limits)


def test_a_model_is_exported_with_its_calibration_and_runs_as_it_was_measured(
    run: Path, evaluation: HeadEvaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = held_out_scan(1, replace(COARSE, prevalence=1.0))
    monkeypatch.setattr(export_module, "sample_scan", lambda: scan.volume)
    labels = Labels("tiny-head", "1.0.0", "A tiny detector", "To test the export.", "Apache-2.0")
    exported = export_module.export(run, labels, evaluation, tmp_path / "out")
    assert exported.entry.task == "detect-hemorrhage"
    assert exported.entry.calibration == FITTED
    assert entry_from_json(entry_to_json(exported.entry)) == exported.entry
    assert entry_of(exported.weights).calibration == FITTED
    assert require_golden(exported.weights) < 1e-3
    found = predict_head(Predictor.load(exported.entry, exported.weights, device="cpu", precision="fp32"), scan.volume)
    measured = evaluation.found.sets[0].ours.runs[0].scans[1]
    assert found.scan_logit == pytest.approx(measured.logit, abs=1e-5)
    assert found.scan_probability == pytest.approx(FITTED.probability(measured.logit))
    card = exported.card.read_text(encoding="utf-8")
    for stated in ("Research use only", "## Calibration", "| balanced | 0.400 | 0.900 | 0.900 |", "Quality bar"):
        assert stated in card


def test_the_command_evaluates_a_run_on_head_ct(
    run: Path, evaluation: HeadEvaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(evaluate_command, "evaluate_head_run", lambda *_: evaluation)
    assert main(["evaluate", "--run", str(run), "--json", str(tmp_path / "e.json"), "--device", "cpu"]) == 0
    assert "whole scans" in capsys.readouterr().out
    assert read_evaluation(tmp_path / "e.json") == evaluation


def test_a_model_needs_scans_to_calibrate_on(run: Path) -> None:
    with pytest.raises(MedEnhanceError, match="needs a calibration"):
        evaluate_head_run(run, CoarseSets(calibration=0), "cpu", "fp32")  # type: ignore[arg-type]


def test_a_network_that_cannot_be_calibrated_makes_no_model(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Calibration:
        raise MedEnhanceError("input-unsuitable", "A higher logit does not mean blood.")

    monkeypatch.setattr(head_ct, "fit_calibration", refuse)
    with pytest.raises(MedEnhanceError, match="cannot be calibrated"):
        evaluate_head_run(run, CoarseSets(2), "cpu", "fp32", names=("noise",))  # type: ignore[arg-type]


def test_a_record_says_which_scans_and_which_encoder_came_before(tmp_path: Path) -> None:
    config = to_plain(recipe("smart-net-scan-compact"))
    config["data"]["num_scans"] = 7
    assert training_data(config["data"]) == (
        "7 simulated head CT scans, 65 % of them with blood, 4 HU or more from the brain around it (preset balanced)",
    )
    real = {**config["data"], "real": ["/data/head_a"], "real_copies": 12, "real_source": "Someone, CC0"}
    assert training_data(real)[1] == (
        "1 real head CT without blood (Someone, CC0): 12 copies, 65 % of them with simulated bleeds"
    )
    config["objective"]["encoder_from"] = "resnet50-imagenet.pth"
    record = {"recipe": "smart-net-scan-compact", "config": config}
    assert recipe_command(record) == (
        "the weights resnet50-imagenet.pth, then smart-net-scan-compact --data.num-scans 7"
    )


def test_weights_of_another_run_are_refused(run: Path, evaluation: HeadEvaluation, tmp_path: Path) -> None:
    other = replace(evaluation, weights_digest="0" * 64)
    labels = Labels("x", "1.0.0", "x", "x", "Apache-2.0")
    with pytest.raises(MedEnhanceError, match="not of the weights"):
        export_module.export(run, labels, other, tmp_path / "out")
