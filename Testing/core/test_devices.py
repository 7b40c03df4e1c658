"""A device is used only after it computed correctly, and a precision only where the hardware is built for it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest
import torch

from medenhance import cgroup, devices
from medenhance.devices import accelerates, available_devices, free_memory_bytes, pick_device, pick_precision, probe
from medenhance.errors import MedEnhanceError
from medenhance.progress import Silent

CPU = torch.device("cpu")
ALL = ("fp32", "bf16", "fp16")


@pytest.fixture(autouse=True)
def _fresh_probes() -> Iterator[None]:
    probe.cache_clear()
    yield
    probe.cache_clear()


class Listener(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, message: str) -> None:
        self.said.append(message)


def pretend(monkeypatch: pytest.MonkeyPatch, names: list[str], errors: dict[str, float | Exception]) -> None:
    """Let PyTorch list these devices, with these convolution errors."""

    def convolution_error(device: torch.device, _: torch.dtype) -> float:
        error = errors.get(str(device), 0.0)
        if isinstance(error, Exception):
            raise error
        return error

    monkeypatch.setattr(devices, "device_names", lambda: names)
    monkeypatch.setattr(devices, "_convolution_error", convolution_error)
    monkeypatch.setattr(devices, "_title", lambda name: f"title of {name}")


def test_the_cpu_is_there_works_and_comes_last() -> None:
    report = available_devices()[-1]
    assert report.name == "cpu"
    assert report.works
    assert report.problem == ""
    assert 0 < report.seconds < 30


@pytest.mark.parametrize("precision", ALL)
def test_the_probe_sees_the_rounding_of_each_precision(precision: str) -> None:
    error = devices._convolution_error(CPU, devices.DTYPES[precision])  # type: ignore[index]
    expected = torch.finfo(devices.DTYPES[precision]).eps  # type: ignore[index]
    assert 0.1 * expected < error < 8 * expected


@pytest.mark.parametrize("wrong", [1.02, float("nan")])
def test_a_device_that_computes_wrongly_is_not_believed(monkeypatch: pytest.MonkeyPatch, wrong: float) -> None:
    right = torch.nn.functional.conv2d
    monkeypatch.setattr(devices.F, "conv2d", lambda x, weight: right(x, weight) * wrong)
    report = probe("cpu")
    assert not report.works
    assert "convolution is wrong" in report.problem
    with pytest.raises(MedEnhanceError) as caught:
        pick_device("auto")
    assert caught.value.kind == "device-unavailable"


def test_auto_passes_over_what_does_not_work_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = RuntimeError("CUDA error: no kernel image is available\nmore lines")
    pretend(monkeypatch, ["cuda:0", "cuda:1", "cpu"], {"cuda:0": broken, "cuda:1": 0.5})
    listener = Listener()
    assert pick_device("auto", listener) == CPU
    assert listener.said == [
        "cuda:0 (cuda:0) is not used: CUDA error: no kernel image is available.",
        "cuda:1 (title of cuda:1) is not used: its fp32 convolution is wrong by 0.5 of the maximum.",
    ]


def test_auto_prefers_an_accelerator_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ["cuda:0", "cuda:1", "cpu"], {"cuda:0": 0.5})
    assert pick_device() == torch.device("cuda:1")


def test_a_named_device_is_taken_or_refused_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ["cuda:0", "cpu"], {"cuda:0": 0.5})
    assert pick_device("cpu") == CPU
    with pytest.raises(MedEnhanceError, match=r"cuda:0 does not work: its fp32 convolution is wrong") as caught:
        pick_device("cuda")
    assert caught.value.kind == "device-unavailable"
    with pytest.raises(MedEnhanceError, match="cuda:3 is not there") as caught:
        pick_device("cuda:3")
    assert caught.value.kind == "device-unavailable"
    assert "Devices here: cuda:0, cpu" in caught.value.hint


@pytest.mark.skipif(torch.version.cuda is not None or torch.version.hip is not None, reason="this PyTorch has CUDA")
def test_a_pytorch_without_cuda_is_named_as_the_reason() -> None:
    with pytest.raises(MedEnhanceError, match="is built without CUDA"):
        pick_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu:0", "CUDA"])
def test_what_is_no_device_at_all_is_a_bad_option(name: str) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        pick_device(name)
    assert caught.value.kind == "bad-option"


@pytest.mark.parametrize(
    ("capabilities", "limit", "allowed", "picked"),
    [
        ({"amx_bf16": True}, "", ("fp32", "bf16"), "bf16"),
        ({"amx_bf16": True}, "", ("fp32",), "fp32"),
        ({"amx_bf16": True}, "", ("fp32", "fp16"), "fp32"),
        ({"amx_bf16": True, "amx_fp16": True}, "", ALL, "bf16"),
        ({"amx_bf16": True, "amx_fp16": True}, "", ("fp32", "fp16"), "fp16"),
        ({"amx_bf16": False, "avx512_bf16": True}, "", ALL, "fp32"),
        ({}, "", ALL, "fp32"),
        ({"amx_bf16": True}, "avx512_core_bf16", ALL, "fp32"),
        ({"amx_bf16": True}, "AVX2", ALL, "fp32"),
        ({"amx_bf16": True}, "AVX512_CORE_AMX", ALL, "bf16"),
    ],
)
def test_an_intel_cpu_runs_short_formats_only_with_matrix_tiles(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], limit: str, allowed: tuple[str, ...], picked: str
) -> None:
    monkeypatch.setattr(devices, "_title", lambda _: "Intel(R) Xeon(R)")
    monkeypatch.setattr(devices, "_cpu_capabilities", lambda: capabilities)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit or "DEFAULT")
    assert pick_precision("auto", CPU, allowed) == picked


@pytest.mark.parametrize(
    ("capabilities", "limit", "allowed", "picked"),
    [
        ({"avx512_bf16": True}, "", ALL, "bf16"),
        ({"avx512_bf16": True}, "", ("fp32", "fp16"), "fp32"),
        ({"avx512_bf16": True}, "AVX2", ALL, "fp32"),
        ({"avx512_bf16": False}, "", ALL, "fp32"),
    ],
)
def test_an_amd_cpu_runs_bf16_with_vectors_of_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], limit: str, allowed: tuple[str, ...], picked: str
) -> None:
    monkeypatch.setattr(devices, "_title", lambda _: "AMD EPYC")
    monkeypatch.setattr(devices, "_cpu_capabilities", lambda: capabilities)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit or "DEFAULT")
    assert pick_precision("auto", CPU, allowed) == picked


def test_capabilities_are_known_to_old_releases_of_pytorch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(_is_amx_tile_supported=lambda: True)
    monkeypatch.setattr(devices.torch, "cpu", old)
    assert devices._cpu_capabilities() == {"amx_bf16": True}
    monkeypatch.setattr(devices.torch, "cpu", SimpleNamespace())
    assert devices._cpu_capabilities() == {"amx_bf16": False}


@pytest.mark.parametrize(
    ("capability", "picked"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((7, 0), "fp16"), ((6, 1), "fp32")]
)
def test_an_nvidia_gpu_runs_the_formats_of_its_tensor_cores(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], picked: str
) -> None:
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert pick_precision("auto", torch.device("cuda:0"), ALL) == picked


@pytest.mark.parametrize(("architecture", "picked"), [("gfx942:sramecc+", "bf16"), ("gfx1030", "fp32")])
def test_an_amd_gpu_needs_matrix_instructions(monkeypatch: pytest.MonkeyPatch, architecture: str, picked: str) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.2")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(gcnArchName=architecture))
    assert pick_precision("auto", torch.device("cuda:0"), ALL) == picked


@pytest.mark.parametrize(("engines", "picked"), [(True, "bf16"), (False, "fp32")])
def test_an_intel_gpu_needs_matrix_engines(monkeypatch: pytest.MonkeyPatch, engines: bool, picked: str) -> None:
    capability = {"has_subgroup_matrix_multiply_accumulate": engines}
    monkeypatch.setattr(torch.xpu, "get_device_capability", lambda _: capability)
    assert pick_precision("auto", torch.device("xpu:0"), ALL) == picked


def test_an_apple_gpu_runs_fp32() -> None:
    assert pick_precision("auto", torch.device("mps"), ALL) == "fp32"
    assert accelerates(torch.device("mps"), "fp32")


def test_the_choice_does_not_depend_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(devices, "time")
    picks = {pick_precision("auto", CPU, ALL) for _ in range(3)}
    assert len(picks) == 1


def test_a_named_precision_is_taken_or_refused_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALL:
        assert pick_precision(name, CPU, ALL) == name
    for name in ("bf16", "fp8", ""):
        with pytest.raises(MedEnhanceError) as caught:
            pick_precision(name, CPU, ("fp32", "fp16"))
        assert caught.value.kind == "bad-option"
        assert "auto, fp32, fp16" in caught.value.hint
    probe.cache_clear()
    pretend(monkeypatch, ["cpu"], {"cpu": RuntimeError("slow_conv2d is not implemented for Half")})
    with pytest.raises(MedEnhanceError, match="cpu cannot run fp16: slow_conv2d is not implemented") as caught:
        pick_precision("fp16", CPU, ALL)
    assert caught.value.kind == "device-unavailable"


def test_free_memory_stays_within_the_machine_and_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < free_memory_bytes(CPU) <= psutil.virtual_memory().total
    monkeypatch.setattr(cgroup, "free_bytes", lambda: 12_345)
    assert free_memory_bytes(CPU) == 12_345
    monkeypatch.setattr(cgroup, "free_bytes", lambda: None)
    assert free_memory_bytes(CPU) > 12_345


def test_free_memory_of_a_gpu_counts_what_pytorch_holds_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1_000, 5_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 500)
    assert free_memory_bytes(torch.device("cuda:0")) == 1_200


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_real_gpu_is_believed_and_measured() -> None:
    report = probe("cuda:0")
    assert report.works, report.problem
    assert pick_device("auto") == torch.device("cuda:0")
    assert pick_precision("auto", torch.device("cuda:0"), ALL) in ALL
    assert 0 < free_memory_bytes(torch.device("cuda:0")) < torch.cuda.get_device_properties(0).total_memory
