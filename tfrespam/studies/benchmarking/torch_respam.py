"""ResPAM U-Net reimplemented in PyTorch with the same weights: a baseline for speed and a check of the Keras network.

It supports the readings of the paper (`fusion`), the normalisations "none" and "standardize", `reduction`, and the
defaults of all other options.
"""

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tfrespam.models.blocks import scaled

OPTIONS = ("fusion", "normalization", "reduction")
NORM_WEIGHTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


class Unit(nn.Module):
    """Convolution with TensorFlow's "same" padding, batch normalisation and activation, with names of Keras layers."""

    def __init__(self, channels, filters, size, stride=1, *, kernel, norm=None, act=None, bias=True):
        super().__init__()
        self.kernel, self.norm_name, self.act, self.size, self.stride = kernel, norm, act, size, stride
        padding = 0 if stride > 1 else size // 2
        self.conv = nn.Conv2d(channels, filters, size, stride, padding, bias=bias and norm is None)
        self.norm = nn.BatchNorm2d(filters, eps=1e-5, momentum=0.1) if norm else nn.Identity()

    def forward(self, x):
        if self.stride > 1 and self.size > 1:  # for even sizes TensorFlow pads more at the end
            before, after = (self.size - self.stride) // 2, (self.size - self.stride + 1) // 2
            x = F.pad(x, (before, after, before, after))
        x = self.norm(self.conv(x))
        return x if self.act is None else self.act(x)

    def take(self, weights):
        with torch.no_grad():
            self.conv.weight.copy_(torch.from_numpy(weights[f"{self.kernel}/kernel"].transpose(3, 2, 0, 1).copy()))
            if self.conv.bias is not None:
                self.conv.bias.copy_(torch.from_numpy(weights[f"{self.kernel}/bias"]))
            if self.norm_name:
                for ours, theirs in NORM_WEIGHTS.items():
                    getattr(self.norm, ours).copy_(torch.from_numpy(weights[f"{self.norm_name}/{theirs}"]))


def _inner(path, channels, filters, size, stride=1, act=None, norm=True, bias=True):
    """Create the Unit of a `tfrespam.layers.ConvUnit` at `path`."""
    return Unit(channels, filters, size, stride, kernel=f"{path}/convolution", act=act, bias=bias,
                norm=f"{path}/normalization" if norm else None)  # fmt: skip


class Residual(nn.Module):
    """Residual bottleneck, ReLU(H(X) + X)."""

    def __init__(self, path, channels, filters, stride):
        super().__init__()
        inner = max(1, filters // 4)
        self.body = nn.Sequential(_inner(f"{path}/reduce", channels, inner, 1, act=F.relu),
                                  _inner(f"{path}/convolve", inner, inner, 3, stride, act=F.relu),
                                  _inner(f"{path}/expand", inner, filters, 1))  # fmt: skip
        plain = stride == 1 and channels == filters
        self.shortcut = nn.Identity() if plain else _inner(f"{path}/shortcut", channels, filters, 1, stride)

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


class PAM(nn.Module):
    """Parallel channel and spatial attention on half the channels."""

    def __init__(self, path, channels, fusion, reduction):
        super().__init__()
        half = channels // 2
        reduced = max(1, round(half / reduction))
        self.fusion = fusion
        self.project = _inner(f"{path}/projection", channels, half, 1, norm=False)
        self.crc = nn.Sequential(_inner(f"{path}/channel_gate/crc_reduce", half, reduced, 1, act=F.relu, norm=False),
                                 _inner(f"{path}/channel_gate/crc_expand", reduced, half, 1, norm=False))  # fmt: skip
        self.spatial = _inner(f"{path}/spatial_gate/unit", 2, 1, 7, act=torch.sigmoid, norm=False, bias=False)
        restored = fusion == "add_and_restore"
        self.restore = _inner(f"{path}/restore", half, channels, 1, norm=False) if restored else nn.Identity()

    def forward(self, x):
        x = self.project(x)
        by_channel = torch.sigmoid(self.crc(x.mean((2, 3), keepdim=True)) + self.crc(x.amax((2, 3), keepdim=True))) * x
        by_pixel = self.spatial(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)) * x
        if self.fusion == "concat":
            return torch.cat([by_channel, by_pixel], 1)
        return self.restore(by_channel + by_pixel)


class RespamUNet(nn.Module):
    """Network of `tfrespam.models.respam_unet`: (N, 1, H, W) in [0, 1] -> probability (N, 1, H, W)."""

    def __init__(self, width=1.0, fusion="add", normalization="none", reduction=16):
        super().__init__()

        self.standardize = normalization == "standardize"
        channels = first = scaled(64, width)
        self.stem = Unit(1, first, 7, 2, kernel="stem_conv", norm="stem_bn", act=F.relu)
        self.stages, skips = nn.ModuleList(), [first]
        for index, count in enumerate((256, 512, 1024, 2048), 1):
            filters = scaled(count, width)
            wide = 2 * filters if fusion == "add" else filters
            stage = []
            for module in (1, 2, 3):
                stride = 2 if module == 1 and index > 1 else 1
                stage.append(Residual(f"stage{index}/residual_{module}", channels, wide, stride))
                channels = wide
            stage.append(PAM(f"stage{index}/attention_1", channels, fusion, reduction))
            channels = filters
            skips.append(channels)
            self.stages.append(nn.Sequential(*stage))
        skips.pop()
        self.decoders = nn.ModuleList()
        for count in (512, 256, 128, 64):
            filters = scaled(count, width)
            self.decoders.append(_double(channels + skips.pop(), filters, f"decoder{count}"))
            channels = filters
        self.head = _double(channels, first, "head")
        self.logits = Unit(first, 1, 1, kernel="logits")

    def forward(self, x):
        if self.standardize:
            x = x - x.mean((1, 2, 3), keepdim=True)
            x = x * torch.rsqrt(x.square().mean((1, 2, 3), keepdim=True) + 1e-6)
        x = self.stem(x)
        skips = [x]
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        skips.pop()
        for decoder in self.decoders:
            x = decoder(torch.cat([skips.pop(), _enlarged(x)], 1))
        return torch.sigmoid(self.logits(self.head(_enlarged(x))))


def _double(channels, filters, name):
    return nn.Sequential(Unit(channels, filters, 3, kernel=f"{name}_1_conv", act=F.relu),
                         Unit(filters, filters, 3, kernel=f"{name}_2_conv", act=F.relu))  # fmt: skip


def _enlarged(x):
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def from_keras(model: keras.Model, width: float, **options) -> RespamUNet:
    """Convert a Keras network to PyTorch with the same weights. Raises KeyError if the graphs differ."""
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    module = RespamUNet(width, **options)
    for unit in module.modules():
        if isinstance(unit, Unit):
            unit.take(weights)
    count = sum(value.numel() for value in module.parameters())
    if count != sum(int(np.prod(value.shape)) for value in model.trainable_weights):
        raise KeyError("the PyTorch network and the Keras network have different parameters")
    return module.to(memory_format=torch.channels_last)


def loss(probability, mask):
    """Compute the loss `bce_dice` of `tfrespam.losses`."""
    overlap = (mask * probability).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (mask.sum((1, 2, 3)) + probability.sum((1, 2, 3)) + 1)
    return F.binary_cross_entropy(probability, mask) + dice.mean()
