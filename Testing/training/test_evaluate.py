"""The evaluation: figures that a hand or another way of computing confirms, and biases that are really there."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from held_out_slices import SIZE, noise, pair, truth
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from medenhance.errors import MedEnhanceError
from medenhance.manifest import TrustedRange
from medenhance.networks import build
from medenhance.predict import Predictor
from medenhance.weights import save
from medenhance_training import evaluation as evaluation_module
from medenhance_training.commands import evaluate as command
from medenhance_training.evaluate import (
    LEAST_TISSUE_PX,
    KernelFamily,
    NetworkRestorer,
    Pair,
    SliceFigures,
    Unchanged,
    evaluate,
    measure_pair,
    tissue_shifts,
)
from medenhance_training.evaluation import evaluate_method, evaluation_table, load_evaluation, save_evaluation
from medenhance_training.methods import ModelMethod, trial_entry, weights_digest
from medenhance_training.objectives.objective import PublishedNetwork
from medenhance_training.summary import by_subset, paired_difference, pooled_shift, summarise

NETWORK = PublishedNetwork(
    "redcnn",
    {"channels": 4, "kernel": 3, "depth": 3, "padding": "same", "final_relu": False},
    {"kind": "scale", "center_hu": 0.0, "scale_hu": 1000.0, "clip_hu": [-1024.0, 3071.0]},
)


@dataclass
class Truth:
    """Knows the answer, and is slow the first time."""

    answer: np.ndarray
    shift_hu: float = 0.0
    warm: bool = False

    def restore(self, low: np.ndarray, kernel: KernelFamily) -> np.ndarray:
        if not self.warm:
            time.sleep(0.3)
            self.warm = True
        return np.broadcast_to(self.answer + np.float32(self.shift_hu), low.shape)


def figures_of(output: np.ndarray, of: Pair) -> SliceFigures:
    return next(measure_pair(of, output, 0.0))


def weights_file(folder: Path, seed: int = 0) -> ModelMethod:
    torch.manual_seed(seed)
    network = build(NETWORK.network, NETWORK.config).eval()
    texts = dict.fromkeys(("title", "licence", "intended_use", "recipe", "commit"), "a test")
    trusted = TrustedRange((5.0, 100.0), (0.4, 1.0), 1.0, 0.1)
    entry = replace(trial_entry(NETWORK), id="tiny", version="1.0.0", trusted=trusted, **texts)
    x = torch.zeros(1, 1, 32, 32)
    with torch.inference_mode():
        entry = save(folder / "tiny.safetensors", entry, network.state_dict(), x, network(x))
    return ModelMethod(entry, folder / "tiny.safetensors", device="cpu", precision="fp32")


def test_the_right_answer_is_told_apart_from_a_shifted_one() -> None:
    (right,) = evaluate(Truth(truth()), [pair()])
    (shifted,) = evaluate(Truth(truth(), shift_hu=3.0), [pair()])

    assert right.main.psnr_db == pytest.approx(100.0)
    assert right.main.ssim == pytest.approx(1.0)
    assert {s.tissue for s in right.shifts} == {"air", "fat", "soft"}
    for exact, moved in zip(right.shifts, shifted.shifts, strict=True):
        assert exact.from_normal_hu == pytest.approx(0.0, abs=1e-4)
        assert moved.from_normal_hu == pytest.approx(3.0, abs=1e-3)
        assert moved.from_input_hu - exact.from_input_hu == pytest.approx(3.0, abs=1e-3)


def test_psnr_is_that_of_an_independent_library() -> None:
    noisy = pair()
    (figures,) = evaluate(Unchanged(), [noisy])

    for quality in figures.quality:
        low, high = quality.window_hu
        a, b = ((np.clip(x[0].astype(np.float64), low, high) - low) / (high - low) for x in (noisy.normal, noisy.low))
        assert quality.psnr_db == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1), abs=1e-4)
        assert quality.rmse_hu == pytest.approx(np.sqrt(np.mean((a - b) ** 2)) * (high - low))


def test_a_noisy_reference_shows_no_bias_that_is_not_there() -> None:
    reference = truth() + noise(1, 80.0)
    noisy = replace(pair(), normal=reference[None], low=(reference + noise(2, 80.0))[None])

    soft = next(s for s in tissue_shifts(noisy.low[0], truth(), reference) if s.tissue == "soft")
    by_threshold = (reference > -10) & (reference < 200)
    error = (truth() - reference)[by_threshold].mean()

    assert abs(soft.from_normal_hu) < 3 * 80 / np.sqrt(soft.pixels)
    assert abs(error) > 20  # what thresholding the noisy reference itself would have reported


def test_tissues_are_those_of_the_normal_dose_not_of_the_low() -> None:
    noisy = pair(sd_hu=0.0)
    noisy.low[0, 60:100, 60:100] += 400.0  # an artefact that looks like bone

    (figures,) = evaluate(Unchanged(), [noisy])
    (untouched,) = evaluate(Unchanged(), [pair(sd_hu=0.0)])

    assert [(s.tissue, s.pixels) for s in figures.shifts] == [(s.tissue, s.pixels) for s in untouched.shifts]


def test_the_first_restoration_is_not_timed() -> None:
    (figures,) = evaluate(Truth(truth()), [pair()])

    assert figures.seconds < 0.2


def test_noise_of_soft_tissue_is_measured_before_and_after() -> None:
    noisy = pair(sd_hu=30.0)
    figures = figures_of(noisy.normal + (noisy.low - noisy.normal) / 4, noisy)

    assert figures.noise_sd_before_hu == pytest.approx(30.0, rel=0.1)
    assert figures.noise_sd_after_hu == pytest.approx(7.5, rel=0.1)


def test_slices_of_a_volume_keep_their_numbers() -> None:
    one = pair()
    volume = replace(one, low=np.repeat(one.low, 3, axis=0), normal=np.repeat(one.normal, 3, axis=0), first_index=7)

    assert [f.index for f in evaluate(Unchanged(), [volume])] == [7, 8, 9]


def test_a_network_is_run_by_the_predictor_and_nothing_else(tmp_path: Path) -> None:
    method, low = weights_file(tmp_path), pair().low
    by_users = Predictor.load(method.entry, method.path, device="cpu", precision="fp32").restore(low)

    restorer = method.open()

    assert isinstance(restorer, NetworkRestorer)
    np.testing.assert_array_equal(restorer.restore(low, "sharp"), by_users)


def test_the_digest_knows_weights_by_their_values(tmp_path: Path) -> None:
    state = weights_file(tmp_path).state()
    name = next(iter(state))
    changed = {**state, name: state[name] + 1e-6}

    assert weights_digest(state) == weights_digest(dict(reversed(state.items())))
    assert weights_digest(state) != weights_digest(changed)


@given(shifts=st.lists(st.tuples(st.floats(-5, 5), st.integers(500, 10_000)), min_size=1, max_size=6))
@settings(max_examples=10, deadline=None)
def test_pooled_shift_weighs_slices_by_their_pixels(shifts: list[tuple[float, int]]) -> None:
    one = figures_of(pair().low, pair())
    soft = next(s for s in one.shifts if s.tissue == "soft")
    figures = [replace(one, shifts=(replace(soft, from_input_hu=hu, pixels=n),)) for hu, n in shifts]

    expected = sum(hu * n for hu, n in shifts) / sum(n for _, n in shifts)

    assert pooled_shift(figures, "soft", from_normal=False) == pytest.approx(expected, abs=1e-9)


def test_a_tissue_of_few_pixels_is_left_out() -> None:
    island = np.full((SIZE, SIZE), -1000.0, np.float32)
    island[70:90, 70:90] = 50.0  # less than LEAST_TISSUE_PX after erosion

    assert {s.tissue for s in tissue_shifts(island, island, island)} == {"air"}
    assert LEAST_TISSUE_PX > 20 * 20


def test_more_noise_of_the_same_anatomy_does_not_narrow_the_interval() -> None:
    one = figures_of(pair().low, pair())
    gains = [1.0, 2.0, 4.0, 0.5]
    theirs = [replace(one, index=n) for n in range(4)]
    ours = [
        replace(f, quality=(replace(f.main, psnr_db=f.main.psnr_db + g),)) for f, g in zip(theirs, gains, strict=True)
    ]

    once = paired_difference(ours, theirs, lambda f: f.main.psnr_db)
    repeated = paired_difference(ours * 10, theirs * 10, lambda f: f.main.psnr_db)

    assert once.mean == pytest.approx(np.mean(gains))
    assert once.interval == pytest.approx(repeated.interval)
    assert once.interval is not None
    assert min(gains) <= once.interval[0] < once.mean < once.interval[1] <= max(gains)


def test_a_difference_of_two_places_has_no_interval_and_of_other_slices_no_value() -> None:
    one = figures_of(pair().low, pair())
    other = replace(one, index=1)

    assert paired_difference([one, other], [one, other], lambda f: f.main.psnr_db).interval is None
    with pytest.raises(ValueError, match="same slices"):
        paired_difference([one], [other], lambda f: f.main.psnr_db)


def test_an_evaluation_survives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_module, "peak_memory_mb", lambda *_: 12.0)
    pairs = [pair(0), pair(1, subset="patients, unchanged dose", sd_hu=0.0)]
    found = evaluate_method(weights_file(tmp_path), pairs)
    save_evaluation(found, tmp_path / "evaluation.json")

    assert load_evaluation(tmp_path / "evaluation.json") == found
    assert list(by_subset(found.slices)) == [p.subset for p in pairs]
    text = evaluation_table(found).text()
    assert f"{summarise('', found.slices[:1]).psnr_db.mean:.2f}" in text
    assert "Research use only" in text


@pytest.mark.parametrize("content", ["{", '{"schema": 1}', "[]"])
def test_a_file_that_is_no_evaluation_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)

    with pytest.raises(MedEnhanceError, match="no evaluation"):
        load_evaluation(tmp_path / "x.json")


def test_the_command_measures_a_weights_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluation_module, "peak_memory_mb", lambda *_: 12.0)
    method = weights_file(tmp_path)
    data = command.HeldOutData(phantoms=1, phantom_size=96, seeds=1)
    args = command.Evaluate(
        weights=method.path, data=data, json=tmp_path / "e.json", markdown=tmp_path / "e.md", device="cpu"
    )

    assert command.run(args) == 0

    printed = capsys.readouterr().out
    assert "phantoms, 25% dose, sharp kernel" in printed
    assert json.loads((tmp_path / "e.json").read_text())["weights_digest"] == weights_digest(method.state())
    assert (tmp_path / "e.md").read_text().count("\n|") == 5  # heading, rule, three subsets


@pytest.mark.parametrize("named", [{}, {"model": "a", "run": Path("b")}])
def test_the_command_wants_one_network(named: dict[str, object]) -> None:
    with pytest.raises(MedEnhanceError, match="--model, --weights and --run"):
        command.run(command.Evaluate(**named))  # type: ignore[arg-type]
