"""SMART-Net's networks: shapes and sizes of the paper and of both releases, and nothing that padding can change."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from medenhance.head_ct.frame import FrameConfig
from medenhance.networks.smart_net import PAPER, RELEASE_2022, RELEASE_2024, SmartNet, SmartNetConfig
from medenhance.networks.smart_net_encoder import Encoder, EncoderConfig, from_imagenet
from medenhance.networks.smart_net_heads import SEGMENTATION, Decoder, DecoderConfig, Scse
from medenhance.networks.smart_net_input import HeadInput, folded, middle, windowed, with_neighbours
from medenhance.networks.smart_net_scan import SmartNetScan, SmartNetScanConfig
from medenhance.networks.strung_scans import NO_MASK_LOGIT, DepthConvolution, halved, resized, scan_ends

SMALL_ENCODER = EncoderConfig(width=4, expansion=2, blocks=(1, 1, 1, 1))
SMALL_INPUT = HeadInput(FrameConfig(32, 4.0), clahe=False)
SMALL_DECODER = DecoderConfig(widths=(8, 8, 8, 8, 8))


def count(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


def without_values(build):
    """A network of full size, as shapes alone: nothing is drawn and nothing stored."""
    with torch.device("meta"):
        return build()


def tiny_scan(**changes) -> SmartNetScan:
    torch.manual_seed(1)
    config = SmartNetScanConfig(SMALL_INPUT, SMALL_ENCODER, decoder=SMALL_DECODER, lstm_hidden=6, hidden=6)
    return SmartNetScan(dataclasses.replace(config, **changes)).eval()


def scans(depths, seed=0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(len(depths), max(depths), 1, 32, 32, generator=generator) * 80


# Sizes and shapes


def test_the_encoder_has_resnet_50_s_parameters_less_two_colours_and_the_classifier():
    # torchvision's ResNet-50: 25,557,032; its classifier 2,049,000; two of three kernels of the stem 2 x 64 x 49.
    assert count(without_values(lambda: Encoder(EncoderConfig()))) == 25_557_032 - 2_049_000 - 6_272


def test_the_lstm_has_the_published_number_of_parameters():
    network = without_values(lambda: SmartNetScan(SmartNetScanConfig()))
    assert network.classifier is not None
    assert count(network.classifier.lstm) == 16_793_600
    assert network.classifier.lstm.bidirectional


def test_the_first_upsampling_of_rec_is_a_1x1_convolution_to_8192():
    rec = without_values(lambda: SmartNet(dataclasses.replace(PAPER, heads=("rec",)))).rec
    assert rec is not None
    first = rec.decoder.blocks[0].up[0]
    assert tuple(first.weight.shape) == (8192, 2048, 1, 1)


def test_the_segmenter_s_blocks_read_what_the_specification_lists():
    decoder = without_values(lambda: Decoder(SEGMENTATION, EncoderConfig()))
    read = [block.first[0].in_channels for block in decoder.blocks]
    made = [block.second[0].out_channels for block in decoder.blocks]
    assert read == [2048 + 1024, 256 + 512, 128 + 256, 64 + 64, 32]
    assert made == [256, 128, 64, 32, 16]


@pytest.mark.parametrize(("stride", "sides"), [(1, (64, 32, 16, 8, 4)), (2, (32, 16, 8, 4, 2))])
def test_features_have_the_published_channels_and_scales(stride, sides):
    with torch.device("meta"):
        features = Encoder(EncoderConfig(stem_stride=stride))(torch.empty(1, 1, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [
        (channels, side, side) for channels, side in zip((64, 256, 512, 1024, 2048), sides, strict=True)
    ]


@pytest.mark.parametrize("config", [PAPER, RELEASE_2022, RELEASE_2024], ids=["paper", "2022", "2024"])
def test_every_head_gives_full_size(config):
    with torch.device("meta"):
        found = SmartNet(config).pretexts(torch.empty(2, 1, 64, 64))
    assert found.logit.shape == (2,)
    assert found.mask_logits.shape == (2, 64, 64)
    assert found.image.shape == found.target.shape == (2, 1, 64, 64)


def test_presets_differ_where_paper_and_code_do():
    assert (PAPER.encoder.stem_stride, RELEASE_2022.encoder.stem_stride, RELEASE_2024.encoder.stem_stride) == (1, 1, 2)
    attention = [config.segmentation.attention for config in (PAPER, RELEASE_2022, RELEASE_2024)]
    assert attention == ["both", "last", "both"]
    assert [config.reconstruction.skips for config in (PAPER, RELEASE_2022, RELEASE_2024)] == [False, False, True]
    assert [config.input.scale for config in (PAPER, RELEASE_2022, RELEASE_2024)] == ["unit", "min-max", "centred"]
    assert [config.hidden for config in (PAPER, RELEASE_2022, RELEASE_2024)] == [0, 0, 1024]


def test_rec_normalises_its_last_block_alone():
    rec = without_values(lambda: SmartNet(dataclasses.replace(PAPER, heads=("rec",)))).rec
    assert rec is not None
    normed = [any(isinstance(m, nn.BatchNorm2d) for m in block.modules()) for block in rec.decoder.blocks]
    attentive = [any(isinstance(m, Scse) for m in block.modules()) for block in rec.decoder.blocks]
    assert normed == attentive == [False, False, False, False, True]


# ImageNet


def test_keys_are_torchvision_s():
    keys = set(without_values(lambda: Encoder(EncoderConfig())).state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.downsample.1.weight", "layer3.5.bn3.bias"} <= keys
    assert "layer4.2.conv3.weight" in keys
    assert len(keys) == 318  # of the 320 of torchvision's ResNet-50, fc.weight and fc.bias are left out


def test_a_grey_image_gives_what_three_equal_colours_gave():
    torch.manual_seed(0)
    coloured = Encoder(SMALL_ENCODER, 3).eval()
    state = {**coloured.state_dict(), "fc.weight": torch.zeros(10, 64), "fc.bias": torch.zeros(10)}
    for channels in (1, 2):
        grey = Encoder(SMALL_ENCODER, channels).eval()
        grey.load_state_dict(from_imagenet(state, channels))
        x = torch.rand(1, 1, 32, 32)
        expected = coloured(x.expand(-1, 3, -1, -1))[-1]
        assert torch.allclose(grey(x.expand(-1, channels, -1, -1))[-1], expected, atol=1e-5)


# Input


def test_windows_and_scales_are_those_of_the_three_presets():
    hu = torch.tensor([[[[-50.0, 0.0], [40.0, 60.0]]]])
    assert windowed(hu, HeadInput()).flatten().tolist() == pytest.approx([0, 0, 0.5, 0.75])
    assert windowed(hu, HeadInput(scale="min-max")).flatten().tolist() == pytest.approx([0, 0, 2 / 3, 1])
    assert windowed(hu, HeadInput(scale="centred")).flatten().tolist() == pytest.approx([-1, -1, 1 / 3, 1])


def test_a_flat_slice_stays_finite():
    assert torch.isfinite(windowed(torch.full((1, 1, 4, 4), -1000.0), HeadInput(scale="centred"))).all()


def test_the_middle_slice_is_found_in_every_window():
    seen = HeadInput(clahe=False, windows_hu=((0.0, 80.0), (0.0, 800.0)), neighbours=1, unshuffle=2)
    hu = torch.tensor([8.0, 40.0, 72.0])[None, :, None, None].expand(1, 3, 4, 4)
    images = windowed(hu, seen)
    assert middle(images, seen)[0, :, 0, 0].tolist() == pytest.approx([0.5, 0.05])
    assert folded(images, seen).shape == (1, seen.channels, 2, 2)


def test_equalisation_and_several_windows_exclude_each_other():
    with pytest.raises(ValueError, match="one window"):
        HeadInput(windows_hu=((0.0, 80.0), (-50.0, 250.0)))


def test_neighbours_stop_at_the_ends_of_a_scan():
    slices = torch.arange(5.0)[:, None, None]
    found = with_neighbours(slices, *scan_ends([3, 2], slices.device), HeadInput(neighbours=1))
    assert found[:, :, 0, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2], [3, 3, 4], [3, 4, 4]]


# Scans


VARIANTS = [
    {},
    {"pool": ("mean", "max"), "slice_head": True, "evidence": True},
    {"targets": ("seg",)},
    {"targets": ("cls",)},
    {"segmenter_norm": "group", "input": dataclasses.replace(SMALL_INPUT, neighbours=1, unshuffle=2)},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_padding_and_order_of_the_batch_change_nothing(changes):
    network, depths = tiny_scan(**changes), [4, 7, 5]
    x = scans(depths)
    together = network(x, torch.tensor(depths))
    for n, depth in enumerate(depths):
        padded = torch.cat([x[n, :depth], torch.full((3, 1, 32, 32), 1e4)])[None]
        alone = network(padded, torch.tensor([depth]))
        assert torch.allclose(alone.scan_logit[0], together.scan_logit[n], atol=1e-5)
        assert torch.allclose(alone.slice_logits[0, :depth], together.slice_logits[n, :depth], atol=1e-5)
        assert torch.allclose(alone.mask_logits[0, :depth], together.mask_logits[n, :depth], atol=1e-5)


def test_slices_that_pad_have_no_blood():
    output = tiny_scan()(scans([2, 5]), torch.tensor([2, 5]))
    assert (output.slice_logits[0, 2:] == NO_MASK_LOGIT).all()
    assert (output.mask_logits[0, 2:] == NO_MASK_LOGIT).all()
    assert (output.mask_logits[0, :2] != NO_MASK_LOGIT).all()


def test_the_classifier_reads_the_order_of_slices():
    network = tiny_scan(targets=("cls",), pool=("mean", "max"))
    with torch.no_grad():
        for parameter in network.classifier.parameters():
            parameter.mul_(5.0)
    x = scans([6]) * torch.linspace(0, 1, 6)[None, :, None, None, None]
    forward, backward = (network(x.flip(1) if flip else x, torch.tensor([6])).scan_logit for flip in (False, True))
    assert not torch.allclose(forward, backward, atol=1e-6)


def test_training_statistics_do_not_see_padding():
    depths = [3, 6]
    means = []
    for padding in (0.0, 1e4):
        network = tiny_scan().train()
        x = scans(depths)
        x[0, 3:] = padding
        network(x, torch.tensor(depths))
        means.append(network.segmenter.norms[0].running_mean.clone())
    assert torch.equal(*means)


def test_the_convolution_over_depth_is_a_3x3x3_one():
    torch.manual_seed(0)
    ours, theirs = DepthConvolution(3, 5), nn.Conv3d(3, 5, 3, padding=1)
    with torch.no_grad():
        planes = ours.planes.weight.view(5, 3, 3, 3, 3)  # C', plane, C, H, W
        theirs.weight.copy_(planes.transpose(1, 2))
        assert ours.planes.bias is not None
        theirs.bias.copy_(ours.planes.bias)
    x = torch.rand(7, 3, 8, 9)
    found = ours(x, [4, 3]).split([4, 3])
    for scan, one in zip(x.split([4, 3]), found, strict=True):
        expected = theirs(scan.transpose(0, 1)[None])[0].transpose(0, 1)
        assert torch.allclose(one, expected, atol=1e-5)


def test_halving_is_max_pooling_of_each_scan():
    x = torch.rand(8, 2, 6, 4)
    found, counts = halved(x, [5, 3])
    assert counts == [3, 2]
    for scan, one in zip(x.split([5, 3]), found.split(counts), strict=True):
        expected = F.max_pool3d(scan.transpose(0, 1)[None], 2, ceil_mode=True)[0].transpose(0, 1)
        assert torch.equal(one, expected)
    assert resized(found, counts, [5, 3], (6, 4)).shape == x.shape


def test_squeeze_and_excitation_adds_its_two_halves():
    block = Scse(2, squeeze=1)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 2, 4, 4)
    # Both gates are sigmoid(0) = 1/2, and they add up (the maximum would halve x).
    assert torch.allclose(block(x), x)


def test_every_combination_of_heads_can_be_built():
    for number in (1, 2, 3):
        for heads in itertools.combinations(("cls", "seg", "rec"), number):
            config = SmartNetConfig(SMALL_INPUT, SMALL_ENCODER, heads, SMALL_DECODER, SMALL_DECODER)
            found = SmartNet(config).pretexts(torch.rand(1, 1, 32, 32))
            there = {"cls": found.logit, "seg": found.mask_logits, "rec": found.image}
            assert {name for name, value in there.items() if value is not None} == set(heads)
