"""Run the contract test on every layer of tfrespam.layers."""

import inspect

import pytest
from layer_contract import check_layer, untested_arguments

import tfrespam.layers
from tfrespam import layers

# layer, arguments, input shape, output shape, number of weights, of trainable weights
CASES = [
    (layers.ConvUnit, {"filters": 5, "kernel_size": 3, "strides": 2, "batch_normalization": True, "activation": "relu"},
     (9, 8, 4), (5, 4, 5), 5, 3),
    (layers.ConvUnit, {"filters": 5, "kernel_size": 3, "use_bias": False, "dilation_rate": 2},
     (9, 8, 4), (9, 8, 5), 1, 1),
    (layers.ChannelGate, {"reduction": 3, "descriptors": ("max", "mean"), "shared": False, "use_bias": False},
     (8, 8, 6), (1, 1, 6), 4, 4),
    (layers.SpatialGate, {"kernel_size": 5, "batch_normalization": True}, (8, 9, 4), (8, 9, 1), 5, 3),
    (layers.SpatialGate, {"use_bias": True}, (8, 9, 4), (8, 9, 1), 2, 2),
    (layers.PAM, {}, (9, 8, 8), (9, 8, 4), 7, 7),
    (layers.PAM, {"reduction": 2, "fusion": "add_and_restore", "fusion_weights": "channel", "shared_crc": False,
                  "crc_bias": False, "spatial_batch_normalization": True, "projection_batch_normalization": True,
                  "projection_activation": "relu", "strides": 2},
     (9, 8, 8), (5, 4, 8), 18, 14),
    (layers.PAM, {"fusion": "concat", "fusion_weights": "scalar", "spatial_bias": True}, (9, 8, 8), (9, 8, 8), 10, 10),
    (layers.GatedProjection, {"gates": "cbam", "reduction": 2, "halve": False}, (8, 8, 4), (8, 8, 4), 9, 7),
    (layers.GatedProjection, {"gates": "scse", "strides": 2}, (8, 8, 4), (4, 4, 2), 8, 8),
    (layers.GatedProjection, {"gates": "se"}, (8, 8, 4), (8, 8, 2), 6, 6),
    (layers.GatedProjection, {"gates": "none"}, (8, 8, 4), (8, 8, 2), 2, 2),
    (layers.ResidualBottleneck, {"filters": 6, "inner_filters": 3}, (9, 8, 6), (9, 8, 6), 15, 9),
    (layers.ResidualBottleneck, {"filters": 6, "inner_filters": 3, "strides": 2, "batch_normalization": False},
     (9, 8, 4), (5, 4, 6), 8, 8),
    (layers.ResPAM, {"filters": 4}, (9, 8, 3), (9, 8, 4), 20 + 15 + 15 + 7, 12 + 9 + 9 + 7),
    (layers.ResPAM, {"filters": 4, "modules": 2, "strides": 2, "expansion": 2, "downsampling": "max_pool",
                     "placement": "module", "batch_normalization": False, "attention": "scse",
                     "attention_options": {"reduction": 2}},
     (9, 8, 3), (5, 4, 4), 32, 32),
    (layers.ASPP, {"filters": 3, "rates": (2, 3)}, (9, 8, 4), (9, 8, 3), 12, 8),
    (layers.PixelShuffle, {}, (9, 8, 8), (18, 16, 2), 0, 0),
    (layers.QuarterTurn, {"turns": 2, "mirrored": True, "inverse": True}, (9, 8, 8), (9, 8, 8), 0, 0),
    (layers.ImageStandardization, {"epsilon": 1e-3}, (8, 9, 2), (8, 9, 2), 0, 0),
    (layers.Temperature, {"temperature": 2.0}, (8, 9, 1), (8, 9, 1), 1, 0),
    (layers.LocalContrast, {"window": 5, "epsilon": 1e-3}, (8, 9, 2), (8, 9, 2), 0, 0),
]  # fmt: skip


def test_contract_covers_every_public_layer():
    public = {value for value in vars(tfrespam.layers).values() if inspect.isclass(value)}
    several = {layers.ArgmaxPooling2D, layers.MaxUnpooling2D, layers.LateFusion}  # outputs or inputs: see their tests
    assert public == {case[0] for case in CASES} | several


@pytest.mark.parametrize("layer_class", dict.fromkeys(case[0] for case in CASES), ids=lambda layer: layer.__name__)
def test_contract_covers_every_argument(layer_class):
    assert not untested_arguments(layer_class, [case[1] for case in CASES if case[0] is layer_class])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].__name__)
def test_contract(case, tmp_path):
    check_layer(*case, tmp_path)
