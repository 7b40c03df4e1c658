"""The benchmark: held-out pairs that nobody trained on, and one table that compares fairly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from held_out_slices import noise, pair, truth

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.manifest import load_manifest
from medenhance.strict_json import from_json, to_json
from medenhance.study import write_study
from medenhance.volume import Grid, Volume
from medenhance_training.benchmark import low_dose_ct
from medenhance_training.benchmark.classical import CLASSICAL, TunedClassical, classical
from medenhance_training.benchmark.low_dose_ct import ALL, Benchmark, benchmark_table, run_benchmark, tuned_classical
from medenhance_training.benchmark.pairs import (
    OWN,
    REAL,
    HeldOutData,
    held_out_pairs,
    is_unchanged,
    tuning_pairs,
)
from medenhance_training.benchmark.public_images import IMAGES
from medenhance_training.commands import benchmark as command
from medenhance_training.evaluate import KernelFamily, Pair, evaluate
from medenhance_training.methods import InputMethod, peak_memory_mb
from medenhance_training.summary import summarise

PHANTOM = HeldOutData(phantoms=1, phantom_size=96, seeds=1)
GAUSSIAN = TunedClassical("gaussian", {"soft": {"sigma_px": 0.8}, "sharp": {"sigma_px": 0.8}})


@dataclass(frozen=True)
class Half:
    """A network that knows the way and goes half of it."""

    title: str = "half way"

    def open(self) -> Half:
        return self

    def restore(self, low: np.ndarray, kernel: KernelFamily) -> np.ndarray:
        places = {n: truth(n) for n in range(3)}
        nearest = [min(places.values(), key=lambda t: float(np.mean((t - image) ** 2))) for image in low]
        return np.stack([(image + t) / 2 for image, t in zip(low, nearest, strict=True)])


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring memory starts a process for each method; one test does that."""
    monkeypatch.setattr(low_dose_ct, "peak_memory_mb", lambda *_: 12.0)


@pytest.fixture(scope="module")
def of_two_doses() -> list[Pair]:
    return held_out_pairs(replace(PHANTOM, seeds=2, doses=(0.1, 0.5)))


def test_the_same_pairs_come_every_time() -> None:
    for one, again in zip(held_out_pairs(PHANTOM), held_out_pairs(PHANTOM), strict=True):
        assert (one.subset, one.case, one.first_index) == (again.subset, again.case, again.first_index)
        np.testing.assert_array_equal(one.low, again.low)


def test_a_slice_comes_with_every_dose_kernel_and_seed_and_as_it_is(of_two_doses: list[Pair]) -> None:
    noises = [p.low - p.normal for p in of_two_doses]

    assert len(of_two_doses) == 2 * 2 * 2 + 1
    assert len({noise.tobytes() for noise in noises}) == len(noises)
    assert [is_unchanged(p.subset) for p in of_two_doses] == [not noise.any() for noise in noises]
    assert all(np.array_equal(p.normal, of_two_doses[0].normal) for p in of_two_doses)


def test_a_lower_dose_and_a_sharper_kernel_are_noisier(of_two_doses: list[Pair]) -> None:
    def noise_sd(subset: str) -> float:
        return float(
            np.mean([(p.low - p.normal).std() for p in of_two_doses if p.subset == f"phantoms, {subset} kernel"])
        )

    assert noise_sd("10% dose, soft") == pytest.approx(3 * noise_sd("50% dose, soft"), rel=0.1)  # sqrt((1 - a) / a)
    assert noise_sd("50% dose, sharp") > 1.5 * noise_sd("50% dose, soft")


def test_classical_methods_are_tuned_on_other_bodies_than_they_are_measured_on(of_two_doses: list[Pair]) -> None:
    for tuning in tuning_pairs(PHANTOM, "soft"):
        assert not np.array_equal(tuning.normal, of_two_doses[0].normal)


def test_two_studies_of_ones_own_are_a_pair(tmp_path: Path) -> None:
    grid = Grid(spacing_mm=(0.7, 0.7, 2.5))
    for name, shift in (("low", 5), ("normal", 0)):
        array = np.full((2, 32, 40), 40 + shift, np.int16)
        write_study(Volume(array, grid), tmp_path / f"{name}.nrrd")

    (own,) = held_out_pairs(HeldOutData(low=tmp_path / "low.nrrd", normal=tmp_path / "normal.nrrd"))

    assert own.subset == OWN
    assert own.spacing_mm == pytest.approx(0.7)
    np.testing.assert_array_equal(own.low - own.normal, np.full((2, 32, 40), 5.0))


def test_two_studies_on_different_grids_are_refused(tmp_path: Path) -> None:
    for name, spacing in (("low", 0.7), ("normal", 0.8)):
        write_study(Volume(np.zeros((2, 32, 40), np.int16), Grid((spacing, spacing, 2.5))), tmp_path / f"{name}.nrrd")

    with pytest.raises(MedEnhanceError, match="one grid"):
        held_out_pairs(HeldOutData(low=tmp_path / "low.nrrd", normal=tmp_path / "normal.nrrd"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HeldOutData(low=Path("a")), "low-dose and a normal-dose study"),
        (HeldOutData(phantoms=0), "nothing to measure on"),
        (HeldOutData(root=Path("nowhere")), "there is no nowhere"),
    ],
)
def test_what_cannot_be_measured_on_is_a_clear_error(data: HeldOutData, message: str) -> None:
    with pytest.raises(MedEnhanceError, match=message):
        held_out_pairs(data)


@pytest.mark.usefixtures("no_memory")
def test_the_table_has_every_method_in_every_subset_and_the_gain_over_the_best_classical_one() -> None:
    soft, sharp, clean = (
        "phantoms, 25% dose, soft kernel",
        "phantoms, 25% dose, sharp kernel",
        "phantoms, unchanged dose",
    )
    pairs = [pair(n, subset=s, index=n, place=n) for s in (soft, sharp) for n in range(3)]
    pairs += [pair(subset=clean, sd_hu=0.0)]

    worse = TunedClassical("median", {"soft": {"radius_px": 3}, "sharp": {"radius_px": 3}})
    found = run_benchmark(pairs, [worse, GAUSSIAN], [Half()])

    assert [row.summary.subset for row in found.rows[::4]] == [soft, sharp, clean, ALL]
    assert [row.method for row in found.rows[:4]] == ["input", "median (ITK)", "Gaussian", "half way"]
    gains = [row.psnr_gain_db for row in found.rows if row.kind == "network"]
    assert gains[2] is None  # nothing to gain where nothing was lost
    for gain, subset in ((gains[0], soft), (gains[1], sharp)):
        ours, theirs = (
            summarise(subset, evaluate(m, [p for p in pairs if p.subset == subset])) for m in (Half(), GAUSSIAN)
        )
        assert gain is not None
        assert gain.interval is not None
        assert gain.num_places == 3
        assert gain.mean == pytest.approx(ours.psnr_db.mean - theirs.psnr_db.mean)
        assert gain.interval[0] <= gain.mean <= gain.interval[1]


@pytest.mark.usefixtures("no_memory")
def test_half_way_halves_the_error() -> None:
    found = run_benchmark([pair()], [], [Half()])

    before, after = (row.summary for row in found.rows)

    assert after.psnr_wide_db.mean - before.psnr_wide_db.mean == pytest.approx(20 * np.log10(2), abs=0.05)


@pytest.mark.usefixtures("no_memory")
def test_a_benchmark_survives_its_file(tmp_path: Path) -> None:
    found = run_benchmark([pair()], [GAUSSIAN], [Half()])
    write_json(tmp_path / "b.json", to_json(found))

    assert from_json(Benchmark, to_json(found)) == found
    assert "half way" in benchmark_table(found).text()
    assert "| half way |" in benchmark_table(found).markdown()


@pytest.mark.usefixtures("no_memory")
def test_the_command_tunes_measures_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [e for e in load_manifest().values() if e.default and e.task == "denoise-ct"]
    args = command.BenchmarkLowDoseCt(
        models=tuple(e.id for e in models),
        data=PHANTOM,
        json=tmp_path / "b.json",
        markdown=tmp_path / "b.md",
        device="cpu",
    )

    assert command.run(args) == 0

    printed = capsys.readouterr().out
    for method in CLASSICAL:
        assert printed.count(method.title) == 4  # soft, sharp, full dose, all
    assert all(entry.id in printed for entry in models)
    assert (tmp_path / "b.json").is_file()
    assert "Research use only" in (tmp_path / "b.md").read_text()


def test_settings_are_tuned_for_each_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    noise_sd = {"soft": 5.0, "sharp": 60.0}
    monkeypatch.setattr(low_dose_ct, "tuning_pairs", lambda _, family, __: [pair(sd_hu=noise_sd[family])])

    (tuned,) = tuned_classical(PHANTOM, [classical("gaussian")])

    assert tuned.parameters["sharp"]["sigma_px"] > tuned.parameters["soft"]["sigma_px"]


def test_memory_is_that_of_the_method_alone() -> None:
    image = np.zeros((1, 2048, 2048), np.float32)
    ballast = noise(0, 1.0) * np.ones((200, 1, 1), np.float32)  # of this process, not of the method

    nothing, filtered = (peak_memory_mb(m, image, "soft") for m in (InputMethod(), GAUSSIAN))

    # The filter takes a clipped copy and its result, 16 MiB each, at the least.
    assert nothing < 30
    assert 32 < filtered < 400
    assert ballast.nbytes > 0


def test_public_images_are_held_out_by_patient(shared_data: Path) -> None:
    pairs = held_out_pairs(HeldOutData(root=shared_data, doses=(), phantoms=0))

    real = next(p for p in pairs if p.subset == REAL)
    assert real.low.shape == (1, 512, 512)
    assert abs(float((real.low - real.normal)[0, 150:350, 150:350].mean())) < 1.0
    assert {p.case for p in pairs}.isdisjoint(images.case for images in IMAGES if not images.held_out)
    assert {images.case for images in IMAGES if images.held_out} < {p.case for p in pairs}
    assert all(p.low.shape == p.normal.shape and p.normal.min() >= -1024 for p in pairs)


def test_training_slices_are_found_where_the_public_images_are(shared_data: Path) -> None:
    for images in IMAGES:
        if not images.held_out:
            slices = images.slices(shared_data)
            assert 1 <= len(slices) <= 3
            assert all((one.hu > -500).mean() > 0.02 and one.spacing_mm < 1.0 for _, one in slices)
