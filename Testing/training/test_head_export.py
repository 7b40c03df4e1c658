"""What a weights file for head CT carries as its test, and the formats in which it may run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_head import tiny_head_network

from medenhance import networks
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.networks.smart_net_scan import SmartNetScanConfig
from medenhance.volume import Volume
from medenhance_training import head_export
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.simulate import simulate_head
from medenhance_training.head_export import golden_scan, input_limits, scan_precisions
from medenhance_training.methods import task_of, trial_entry
from medenhance_training.objectives.published import build_published, describe
from medenhance_training.objectives.smart_net import IDENTITY


@pytest.fixture(scope="module")
def volume() -> Volume:
    return simulate_head(3, HeadConfig(size_px=64, slice_mm=(9.0, 10.0), prevalence=1.0)).volume


@pytest.fixture(scope="module")
def published():
    return describe(tiny_head_network(SmartNetScanConfig()), IDENTITY)


def test_networks_for_scans_are_for_haemorrhage(published):
    assert task_of(published) == "detect-hemorrhage"
    assert trial_entry(published).accepted.modality == "CT"


def test_the_golden_test_is_a_scan_of_three_slices_with_tissue(published, volume):
    torch.manual_seed(0)
    network = build_published(published).eval()
    x, y = golden_scan(published, network, volume)
    assert x.shape[:2] == (3, 1)
    assert y.shape == (3, 4, *x.shape[2:])
    assert (x > 0).float().mean() > 0.3
    assert torch.equal(networks.spec("smart-net-scan").on_stack(network, x), y)


def test_a_card_says_what_levelling_takes_away(published):
    assert input_limits(published) == ()
    network = tiny_head_network(SmartNetScanConfig())
    levelled = describe(replace(network, input=replace(network.input, levelled=True)), IDENTITY)
    (limit,) = input_limits(levelled)
    assert "below most of the skull" in limit


def test_a_format_that_moves_the_logit_or_the_mask_is_left_out(published, volume, monkeypatch):
    logits = {"fp32": 1.0, "bf16": 1.05, "fp16": 1.5}
    mask = np.zeros((2, 8, 8), np.float32)
    mask[0, :4] = 1.0

    def predicted(entry, network, precision, volume):
        moved = mask if precision != "bf16" else mask.copy()
        return HeadPrediction(logits[precision], 0.5, np.zeros(2), moved)

    monkeypatch.setattr(head_export, "_predicted", predicted)
    entry, network = trial_entry(published), torch.nn.Identity()
    assert scan_precisions(entry, network, volume) == ("fp32", "bf16")
    logits["fp16"] = 1.0
    assert scan_precisions(entry, network, volume) == ("fp32", "bf16", "fp16")
    monkeypatch.setattr(
        head_export,
        "_predicted",
        lambda e, n, p, v: HeadPrediction(1.0, 0.5, np.zeros(2), mask if p == "fp32" else np.roll(mask, 1, 1)),
    )
    assert scan_precisions(entry, network, volume) == ("fp32",)
