"""The command line: quick help, clear refusals, exit codes, and nothing half-written whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance import __version__
from medenhance.__main__ import guarded, main
from medenhance.errors import Cancelled
from medenhance.image_files import write_image
from medenhance.study import read_study
from medenhance.terminal import TerminalProgress
from medenhance.volume import Volume

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are those of POSIX")


@pytest.fixture(autouse=True)
def _keep_signal_handlers() -> Iterator[None]:
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def everything_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


LISTS_IMPORTS = """
import sys
from medenhance.__main__ import main
for words in WORDS:
    try:
        main(words)
    except SystemExit as stop:
        assert stop.code == 0, words
heavy = "numpy torch SimpleITK pydicom highdicom matplotlib requests scipy tqdm safetensors psutil distributed skimage"
print("LOADED", [name for name in heavy.split() if name in sys.modules])
"""
COMMANDS: list[list[str]] = [
    [],
    ["denoise-ct"],
    ["batch"],
    ["export-dicom"],
    ["export-segmentation"],
    ["enhance-spine"],
    ["project-vpi"],
    ["measure-uca"],
    ["measure-phantom"],
    ["reliability"],
    ["demo"],
    ["doctor"],
    ["benchmark"],
    ["worker"],
    ["models"],
    ["models", "list"],
]


def test_no_help_and_no_version_imports_anything_heavy() -> None:
    words = [[*command, "--help"] for command in COMMANDS] + [["--version"]]
    code = f"WORDS = {words!r}\n{LISTS_IMPORTS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True)
    assert "LOADED []" in done.stdout
    assert f"medenhance {__version__}" in done.stdout
    spine = ("project-vpi", "measure-uca", "reliability")
    for command in ("denoise-ct", "batch", "export-dicom", *spine, "demo", "models", "doctor", "benchmark", "worker"):
        assert f"• {command}" in done.stdout
    assert done.stdout.count("Research use only") >= 4


def test_success_prints_where_things_are_and_what_changed(
    ct_nrrd: Path, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"denoised": "out.nrrd", "residual": "removed.nrrd", "report": "trust.json", "figure": "trust.png"}
    paths = {what: str(tmp_path / "results" / name) for what, name in names.items()}
    optional = [word for what in ("residual", "report", "figure") for word in (f"--{what}", paths[what])]
    assert main(["denoise-ct", str(ct_nrrd), paths["denoised"], "--model", tiny_model, *optional]) == 0
    out, err = capsys.readouterr()
    for what, path in paths.items():
        assert f"{what}:" in out
        assert path in out
        assert Path(path).is_file()
    assert tiny_model in out
    assert "soft" in out
    assert "Research use only" in out
    assert "Warning: " in err
    assert everything_below(tmp_path / "results") == {Path(path) for path in paths.values()}


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
def test_input_minus_output_is_the_residual(
    dtype: type[np.generic], ct_array: np.ndarray, tiny_model: str, tmp_path: Path
) -> None:
    study, out, removed = (tmp_path / f"{name}.nrrd" for name in ("study", "out", "removed"))
    write_image(Volume((ct_array.clip(-1024) + 1024).astype(dtype)), study, {})
    assert main(["denoise-ct", str(study), str(out), "--residual", str(removed), "--model", tiny_model]) == 0
    before, after, residual = (read_study(path).array.astype(np.float64) for path in (study, out, removed))
    assert residual.min() < 0 < residual.max()
    np.testing.assert_allclose(before - after, residual, atol=0 if dtype != np.float32 else 1e-3)


def test_strength_zero_gives_the_input_back(ct_nrrd: Path, tiny_model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.nrrd"
    assert main(["denoise-ct", str(ct_nrrd), str(out), "--strength", "0", "--model", tiny_model]) == 0
    before, after = read_study(ct_nrrd), read_study(out)
    np.testing.assert_array_equal(before.array, after.array)
    assert before.grid == after.grid


def write_4d(path: Path) -> None:
    sitk.WriteImage(sitk.Image((6, 5, 4, 3), sitk.sitkInt16), path)


def write_colour(path: Path) -> None:
    sitk.WriteImage(sitk.Image((6, 5, 4), sitk.sitkVectorUInt8, 3), path)


def write_nan(path: Path) -> None:
    array = np.zeros((3, 40, 40), np.float32)
    array[1, 2, 3] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), path)


def write_truncated(path: Path) -> None:
    write_image(Volume(np.zeros((3, 40, 40), np.int16)), path, {})
    path.write_bytes(path.read_bytes()[:-1000])


def write_text(path: Path) -> None:
    path.write_text("This is no image.", encoding="utf-8")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_4d, "axes"),
        (write_colour, "3 numbers a voxel"),
        (write_nan, "NaN"),
        (write_truncated, "cannot be read"),
        (write_text, "cannot be read"),
        (lambda _: None, "There is nothing at"),
        (lambda path: path.mkdir(), "is empty"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused(
    write: Callable[[Path], None],
    words: str,
    tiny_model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = tmp_path / "study.nrrd"
    write(study)
    before = everything_below(tmp_path)
    assert main(["denoise-ct", str(study), str(tmp_path / "out.nrrd"), "--model", tiny_model]) == 1
    assert_clear_refusal(capsys.readouterr(), words)
    assert everything_below(tmp_path) == before


def assert_clear_refusal(captured: tuple[str, str], words: str) -> None:
    out, err = captured
    assert "Error: " in err
    assert words in err
    assert "Traceback" not in err
    assert "nexpected" not in err
    assert out == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--strength", "2"], "strength of 2"),
        (["--strength", "nan"], "strength of nan"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--device", "cuda:77"], "cuda:77"),
        (["--device", "toaster"], "toaster"),
        (["--precision", "fp16"], "fp16"),
        (["--residual", "{out}"], "two outputs"),
        (["--report", "{out}"], "two outputs"),
        (["--figure", "{out}.jpg"], ".png"),
    ],
)
def test_an_option_that_cannot_be_met_is_refused(
    words: list[str], named: str, ct_nrrd: Path, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.nrrd"
    before = everything_below(tmp_path)
    given = [word.format(out=out, input=ct_nrrd) for word in words]
    model = [] if "--model" in words else ["--model", tiny_model]
    assert main(["denoise-ct", str(ct_nrrd), str(out), *model, *given]) == 1
    assert_clear_refusal(capsys.readouterr(), named)
    assert everything_below(tmp_path) == before


def test_series_that_are_not_named_are_listed(
    write_dicom: Callable[..., Path],
    ct_array: np.ndarray,
    tiny_model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for series in "12":
        write_dicom(tmp_path / "study", ct_array, series=series)
    words = ["denoise-ct", str(tmp_path / "study"), str(tmp_path / "out"), "--model", tiny_model]
    assert main(words) == 1
    err = capsys.readouterr().err
    uid = "1.2.826.0.1.3680043.8.498.7.2"
    assert uid in err
    assert "--series" in err
    assert main([*words, "--series", uid]) == 0
    assert len(list((tmp_path / "out").iterdir())) == len(ct_array)


def test_an_mr_series_is_refused(
    write_dicom: Callable[..., Path],
    ct_array: np.ndarray,
    tiny_model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = write_dicom(tmp_path / "study", ct_array, modality="MR")
    assert main(["denoise-ct", str(study), str(tmp_path / "out"), "--model", tiny_model]) == 1
    assert_clear_refusal(capsys.readouterr(), "MR, not CT")


def test_a_folder_that_is_not_empty_and_a_place_that_is_a_file_are_refused(
    ct_nrrd: Path, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for output, words in {"file/out.nrrd": "cannot be written", "out.xyz": "DICOM", "out": "DICOM"}.items():
        assert main(["denoise-ct", str(ct_nrrd), str(tmp_path / output), "--model", tiny_model]) == 1
        assert_clear_refusal(capsys.readouterr(), words)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_dicom_output_folder_that_is_not_empty_is_refused(
    write_dicom: Callable[..., Path],
    ct_array: np.ndarray,
    tiny_model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = write_dicom(tmp_path / "study", ct_array)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    assert main(["denoise-ct", str(study), str(tmp_path / "out"), "--model", tiny_model]) == 1
    assert_clear_refusal(capsys.readouterr(), "not empty")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@posix_only
@pytest.mark.parametrize("output", ["out.nrrd", "out.mhd", "out"])
def test_a_disk_that_fills_up_leaves_nothing_behind(
    output: str,
    write_dicom: Callable[..., Path],
    tiny_model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import resource

    study = write_dicom(tmp_path / "study", np.zeros((5, 200, 200), np.int16))
    before = everything_below(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))  # bytes a file, below one slice
    try:
        status = main(["denoise-ct", str(study), str(tmp_path / "new" / output), "--model", tiny_model])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1
    assert_clear_refusal(capsys.readouterr(), "disk is full")
    assert everything_below(tmp_path) == before


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests in the background ignores it
from medenhance import image_files, predict
def slowed(function):
    def slow(*args):
        time.sleep(1.0)
        return function(*args)
    return slow
image_files.as_dtype = slowed(image_files.as_dtype)
predict.Predictor._change = slowed(predict.Predictor._change)
from medenhance.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@posix_only
@pytest.mark.parametrize(
    ("number", "moment", "status"),
    [
        (signal.SIGINT, "denoise", 130),
        (signal.SIGTERM, "write", 130),
        (signal.SIGKILL, "write", -signal.SIGKILL),
    ],
)
def test_a_stopped_run_leaves_no_output(
    number: signal.Signals, moment: str, status: int, ct_nrrd: Path, tiny_model: str, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "o.nrrd"
    command = [sys.executable, "-c", SLOW, "denoise-ct", str(ct_nrrd), str(out), "--model", tiny_model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = b""
        while f"{moment} ".encode() not in said:
            said += process.stderr.read1(1000)  # type: ignore[attr-defined]
            assert process.poll() is None, said
        time.sleep(0.1)
        process.send_signal(number)
        said += process.stderr.read()
        assert process.wait(timeout=30) == status
    assert not out.exists()
    if number != signal.SIGKILL:
        assert not out.parent.exists()
        assert b"Cancelled." in said
        assert b"Traceback" not in said


def test_a_fault_of_the_program_is_said_shortly_with_a_log_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def faulty() -> int:
        raise ZeroDivisionError("a fault")

    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path))
    assert guarded(faulty) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError: a fault" in err
    assert "Traceback" not in err
    log = next((tmp_path / "logs").iterdir())
    assert str(log) in err
    assert "in faulty" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled])
def test_a_cancelled_command_has_its_own_exit_status(stop: type[BaseException]) -> None:
    def cancelled() -> int:
        raise stop

    assert guarded(cancelled) == 130


def test_an_unknown_option_is_named_and_has_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["denoise-ct", "a", "b", "--strengt", "1"])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert "--strengt" in err
    assert "Perhaps you meant" in err


def test_names_that_the_console_cannot_show_do_not_end_the_program(tmp_path: Path) -> None:
    setting = {**os.environ, "PYTHONIOENCODING": "cp1252", "MEDENHANCE_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "medenhance", "models", "show", "检查 µ 🦴"]
    done = subprocess.run(command, capture_output=True, env=setting)
    assert done.returncode == 1
    assert "检查 µ 🦴".encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_progress_shows_stage_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress() as progress:
        progress.update("read", 0.0)
        progress.update("denoise", 0.25)
        progress.warn("something odd")
        progress.update("denoise", 0.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Warning: something odd" in err
    assert "%/s" in err
    assert "left" in err
    assert err.index("read ") < err.index("denoise ")
    assert err.count("100%") == 2
