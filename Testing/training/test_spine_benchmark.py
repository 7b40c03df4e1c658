"""The spine benchmark: fills fill, styles move, figures follow their definitions, the paper stands beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from tiny_spine import TinySpineData, projection

from medenhance.enhance_projection import enhance_projection
from medenhance.errors import MedEnhanceError
from medenhance.measure.stripes import CORRUPTED_FROM
from medenhance.predict import Predictor
from medenhance.strict_json import to_json
from medenhance.weights import entry_of, require_golden
from medenhance_training import export as export_module
from medenhance_training import spine_evaluation
from medenhance_training.__main__ import main
from medenhance_training.benchmark.hallucination import displacement, draw_edits, measure_hallucination
from medenhance_training.benchmark.paper_table1 import TABLE_1
from medenhance_training.benchmark.real_projection import read_real_projection, real_table
from medenhance_training.benchmark.spine_fills import FILLS, found_dashes, linear_fill
from medenhance_training.benchmark.spine_methods import (
    FillMethod,
    InputMethod,
    RunsMethod,
    TransferMethod,
    fill_methods,
)
from medenhance_training.benchmark.spine_ultrasound import (
    MethodFigures,
    SpineBenchmark,
    difference,
    estimate,
    restoration_table,
    run_spine_benchmark,
    segmentation_table,
)
from medenhance_training.benchmark.style_transfer import haar, in_style, inverse_haar, style_of
from medenhance_training.checkpoint import latest_checkpoint
from medenhance_training.commands.fit import fit
from medenhance_training.data.spine.case import SpineCase
from medenhance_training.data.spine.config import SpineConfig
from medenhance_training.data.spine_bank import Projection
from medenhance_training.export import Labels
from medenhance_training.model_card import training_data
from medenhance_training.recipes import recipe
from medenhance_training.run_record import to_plain
from medenhance_training.spine_evaluate import ProjectionFigures, Restoration, Result, evaluate_spine
from medenhance_training.spine_evaluation import evaluate_spine_run
from medenhance_training.statement import read_evaluation, statement

SHAPE = (512, 384)


@pytest.fixture(scope="module")
def held_out() -> list[Projection]:
    return [projection(seed, SHAPE) for seed in (11, 12, 13)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = recipe("da-gan-compact")
    fpn = replace(config.objective.network.segmenter, stem=4, widths=(8, 8), blocks=(1, 1), pyramid=8, head=8)
    enhancer = replace(config.objective.network.enhancer, widths=(4, 4))
    objective = replace(config.objective, network=replace(config.objective.network, enhancer=enhancer, segmenter=fpn))
    loop = replace(config.loop, samples=8, batch_size=4)
    run = tmp_path_factory.mktemp("runs") / "tiny"
    return fit(replace(config, objective=objective, loop=loop, data=TinySpineData(), run=run, threads=1))


class Perfect:
    """Knows the answer."""

    def __init__(self, one: Projection) -> None:
        self.one = one

    def restore(self, image: np.ndarray) -> Result:
        return Result(self.one.clean, self.one.labels)


def test_a_perfect_method_has_perfect_figures(held_out: list[Projection]) -> None:
    one = held_out[0]
    (found,) = evaluate_spine(Perfect(one), [one])
    assert found.dice == pytest.approx(100.0)
    assert found.clean_dice == pytest.approx(100.0)
    assert found.restoration.dash_error == 0.0
    assert found.restoration.leakage == 0.0
    assert found.restoration.ms_ssim == pytest.approx(1.0)
    assert found.restoration.changed_share == pytest.approx(one.dashes[one.scan].mean())


def test_the_input_has_the_noise_s_error_and_no_change(held_out: list[Projection]) -> None:
    one = held_out[0]
    (found,) = evaluate_spine(InputMethod().open()[0], [one])
    expected = np.abs(one.noisy.astype(float) - one.clean)[one.dashes & one.scan].mean()
    assert found.restoration.dash_error == pytest.approx(expected)
    assert found.restoration.identity_error == found.restoration.changed_share == 0.0
    assert np.isnan(found.dice)


def test_the_linear_fill_interpolates_along_columns() -> None:
    image = np.full((12, 3), 100, np.uint8)
    image[:, 1] = np.arange(60, 180, 10)
    dashed = image.copy()
    dashed[6, 1] = 0
    assert found_dashes(dashed)[:, 1].nonzero()[0].tolist() == [5, 6, 7]
    assert np.array_equal(linear_fill(dashed), image)


@pytest.mark.parametrize("fill", FILLS, ids=lambda fill: fill.title)
def test_every_classical_method_returns_grey_of_the_same_size(fill, held_out: list[Projection]) -> None:
    image = held_out[0].noisy[150:250, 100:200]
    result = fill.restore(image)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    assert not np.array_equal(result, image)


def test_fills_take_corrupted_patches_away(held_out: list[Projection]) -> None:
    (found,) = evaluate_spine(FillMethod(FILLS[0]).open()[0], held_out[:1])
    assert found.restoration.corrupted_before > 0
    assert found.restoration.corrupted_after == 0
    assert CORRUPTED_FROM == 4.0


def test_the_haar_transform_inverts_itself_and_keeps_energy() -> None:
    image = np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32)
    coarse, bands = haar(image)
    assert np.allclose(inverse_haar(coarse, bands), image, atol=1e-5)
    energy = (coarse**2).sum() + sum((band**2).sum() for level in bands for band in level)
    assert energy == pytest.approx((image**2).sum(), rel=1e-5)


def test_a_projection_in_its_own_style_stays_as_it_is_and_takes_another_s(held_out: list[Projection]) -> None:
    one = held_out[0]
    assert np.abs(in_style(one.clean, one.scan, style_of(one.clean, one.scan)).astype(int) - one.clean).max() <= 1
    darker = np.where(one.scan, one.clean // 2 + 1, 0).astype(np.uint8)
    moved = in_style(one.clean, one.scan, style_of(darker, one.scan))
    assert moved[one.scan].mean() == pytest.approx(darker[one.scan].mean(), abs=2.0)  # the rim is in no band


def figures(dice: float, subject: int = 0) -> ProjectionFigures:
    from medenhance.measure.overlap import Overlap

    agreement = {name: Overlap(dice, dice / (2 - dice), dice) for name in ("lumbar", "thoracic", "rib")}
    return ProjectionFigures(subject, agreement, 100 * dice, Restoration(30, 0.9, 5.0, 0.1, 0.01, 3, 0, 0.1), 1.0)


def test_intervals_come_from_subjects_and_training_seeds() -> None:
    same = estimate(np.full((2, 5), 3.0))
    assert (same.mean, same.interval) == (3.0, (3.0, 3.0))
    spread = estimate(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    assert spread.interval is not None
    assert 1.0 < spread.interval[0] < 3.0 < spread.interval[1] < 5.0
    assert estimate(np.array([[1.0, 2.0]])).interval is None


def test_differences_are_paired() -> None:
    theirs = MethodFigures("FPN", (tuple(figures(0.5 + 0.1 * n, n) for n in range(4)),))
    ours = MethodFigures("DA-GAN", (tuple(figures(0.52 + 0.1 * n, n) for n in range(4)),))
    found = difference(ours, theirs, lambda f: f.dice)
    assert found.mean == pytest.approx(2.0)
    assert found.interval == pytest.approx((2.0, 2.0))


def test_the_paper_s_numbers_stand_below_ours() -> None:
    methods = tuple(
        MethodFigures(title, (tuple(figures(dice, n) for n in range(3)),))
        for title, dice in (("FPN", 0.8), ("DA-GAN", 0.82))
    )
    text = segmentation_table(SpineBenchmark(1, 1.0, 3, methods, "cpu")).text()
    assert "87.72" in text
    assert "81.73" in text
    assert "DA-GAN minus FPN: +2.00 [2.00, 2.00] Dice points (paper: +1.5)" in text


def test_the_paper_s_rows_average_their_classes_but_for_the_known_misprint() -> None:
    off = [
        title
        for title, (*classes, average) in TABLE_1.items()
        if any(abs(np.mean([c[k] for c in classes]) - average[k]) > 0.05 for k in range(3))
    ]
    assert off == ["N2S"]


def test_networks_fills_and_transfer_run_side_by_side(trained: Path, held_out: list[Projection]) -> None:
    network = RunsMethod("FPN", (trained, trained), device="cpu", precision="fp32")
    methods = [InputMethod(), fill_methods(network)[0], TransferMethod(network), network]
    found = run_spine_benchmark(methods, held_out)
    assert [len(method.seeds) for method in found.methods] == [1, 2, 2, 2]
    assert [method.segments for method in found.methods] == [False, True, True, True]
    assert json.loads(json.dumps(to_json(found)))["num_subjects"] == 3
    assert "corrupted patches" in restoration_table(found).text()


def test_an_evaluation_can_be_read_back_and_stated(
    trained: Path, held_out: list[Projection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spine_evaluation, "projections", lambda *_: held_out)
    path = tmp_path / "evaluation.json"
    assert main(["evaluate", "--run", str(trained), "--json", str(path), "--device", "cpu"]) == 0
    evaluation = read_evaluation(path)
    stated = statement(evaluation)
    assert stated.trusted is None
    assert any("simulated projections alone" in limit for limit in stated.limits)
    assert any(name.endswith("error in dashes, grey levels") for name in stated.metrics)


def test_a_run_without_a_title_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "spine-ultrasound", "--runs", "folder"]) == 1
    assert "TITLE=FOLDER" in capsys.readouterr().err


def test_projections_that_are_none_are_refused(trained: Path) -> None:
    (method,) = RunsMethod("x", (trained,), device="cpu").open()
    for image, what in ((np.zeros((400, 300, 3), np.uint8), "colour"), (np.zeros((400, 300), np.uint8), "empty")):
        with pytest.raises(MedEnhanceError, match=what):
            method.restore(image)


def test_a_spine_network_exports_with_its_card(
    trained: Path, held_out: list[Projection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "sample_image", lambda _: held_out[0].noisy.astype(np.float32))
    evaluation = evaluate_spine_run(latest_checkpoint(trained), held_out, "cpu", "fp32")
    labels = Labels("tiny-spine", "1.0.0", "A tiny network", "To test the export.", "Apache-2.0")
    exported = export_module.export(trained, labels, evaluation, tmp_path / "out")
    assert exported.entry.task == "enhance-spine"
    assert exported.entry.trusted is None
    assert entry_of(exported.weights).id == "tiny-spine"
    assert require_golden(exported.weights) < 1e-4
    predictor = Predictor.load(exported.entry, exported.weights, device="cpu", precision="fp32")
    ours = enhance_projection(predictor, held_out[0].noisy)
    theirs = RunsMethod("x", (trained,), "cpu", "fp32").open()[0].restore(held_out[0].noisy)
    assert np.array_equal(ours.image, theirs.image)
    assert theirs.labels is not None
    assert np.array_equal(ours.labels, theirs.labels)
    card = exported.card.read_text(encoding="utf-8")
    for stated in ("Research use only", "simulated projections alone", "error in dashes"):
        assert stated in card
    assert "Where it was tested" not in card
    (line,) = training_data(to_plain(recipe("da-gan-compact").data))
    assert line == "80 simulated subjects, 3 projections each, structured noise x 0.5 to 3"


def test_the_public_projection_stands_in_a_table_of_its_own(trained: Path, tmp_path: Path, held_out) -> None:
    one = held_out[0]
    for name, pixels in (("demo.png", one.noisy), ("demo_bone_3.png", one.labels)):
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / name))
    image, mask = read_real_projection(tmp_path)
    assert np.array_equal(image, one.noisy)
    table = real_table([InputMethod(), RunsMethod("x", (trained,), "cpu")], image, mask)
    assert [row[0] for row in table.rows] == ["input", "x"]
    assert table.rows[0][-1] == "0.00"
    with pytest.raises(MedEnhanceError, match=r"no demo\.png"):
        read_real_projection(tmp_path / "nowhere")


class Obedient:
    """Labels exactly what one of the subjects shows, whatever it is given."""

    def __init__(self, shown: SpineCase, confidence: float | None = None) -> None:
        self.shown = shown
        self.confidence = None if confidence is None else np.full(shown.labels.shape, confidence, np.float32)

    def restore(self, image: np.ndarray) -> Result:
        return Result(image, self.shown.labels, self.confidence)


def test_a_process_that_comes_back_is_an_invention_and_a_moved_one_has_a_place() -> None:
    coarse = SpineConfig(pixel_mm=0.8, missing_share=(0.0, 0.0), habitus="average")
    (edits,) = draw_edits(1, coarse)
    truthful = [Obedient(case) for case in (edits.deleted, edits.intact, edits.moved)]

    class Truthful:
        def restore(self, image: np.ndarray) -> Result:
            return next(one for one in truthful if np.array_equal(one.shown.projections[4], image)).restore(image)

    honest = measure_hallucination(Truthful(), [edits], 4)
    assert (honest.restored, honest.found, honest.moved_error_mm) == (0.0, 1.0, 0.0)
    stubborn = measure_hallucination(truthful[1], [edits], 4)
    assert (stubborn.restored, stubborn.found) == (1.0, 1.0)
    assert stubborn.moved_error_mm == pytest.approx(5.0, abs=1.0)
    assert honest.image_shift_mm == 0.0
    assert (honest.unwarned, stubborn.unwarned) == (0.0, 0.0)
    unsure = measure_hallucination(Obedient(edits.intact, 0.5), [edits], 4)
    assert stubborn.doubted < unsure.doubted == 1.0, "some are faint; but of none is it sure"
    seen = replace(edits, deleted=replace(edits.deleted, projections=edits.intact.projections))
    assert measure_hallucination(truthful[1], [seen], 4).unwarned == 1.0, "a depth shows it, whatever the truth says"


def test_the_displacement_of_an_image_is_found_to_the_pixel() -> None:
    grey = gaussian_filter(np.random.default_rng(0).normal(size=(60, 70)), 3)
    assert displacement(grey, grey) == 0.0
    assert displacement(np.roll(grey, (3, -4), (0, 1)), grey) == 5.0
