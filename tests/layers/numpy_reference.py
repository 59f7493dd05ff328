"""The equations of ResPAM U-Net once more, in NumPy, in the simplest words."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(image, kernel, bias=0.0, strides=1):
    """image (H, W, C), kernel (k, k, C, filters), TensorFlow's "same" padding: the odd pixel at the end."""
    size = kernel.shape[0]
    sides = [-(-side // strides) for side in image.shape[:2]]
    padding = [max((out - 1) * strides + size - side, 0) for out, side in zip(sides, image.shape[:2], strict=True)]
    padded = np.pad(image, [(p // 2, p - p // 2) for p in padding] + [(0, 0)])
    result = np.zeros((*sides, kernel.shape[-1]))
    for y in range(sides[0]):
        for x in range(sides[1]):
            window = padded[y * strides:y * strides + size, x * strides:x * strides + size]
            result[y, x] = np.einsum("ijc,ijcf->f", window, kernel)
    return result + bias


def crc(descriptor, reduce, expand):
    """1x1 convolution, ReLU, 1x1 convolution on a vector of channels; `reduce` and `expand` are (kernel, bias)."""
    hidden = np.maximum(descriptor @ reduce[0][0, 0] + reduce[1], 0)
    return hidden @ expand[0][0, 0] + expand[1]


def channel_map(features, reduce, expand):
    """Equation (2)."""
    return sigmoid(crc(features.mean(axis=(0, 1)), reduce, expand) + crc(features.max(axis=(0, 1)), reduce, expand))


def spatial_map(features, kernel):
    """Equation (3)."""
    planes = np.stack([features.mean(axis=-1), features.max(axis=-1)], axis=-1)
    return sigmoid(convolve(planes, kernel))


def pam(features, weights):
    """Equations (1) to (4); `weights` in the order of the layer: projection, CRC reduce, CRC expand, 7x7."""
    projection, reduce, expand = weights[0:2], weights[2:4], weights[4:6]
    halved = convolve(features, *projection)
    return channel_map(halved, reduce, expand) * halved + spatial_map(halved, weights[6]) * halved


def batch_norm(features, gamma, beta, mean, variance):
    return gamma * (features - mean) / np.sqrt(variance + 1e-5) + beta


def bottleneck(features, units, shortcut=None, strides=1):
    """Equation (5) with ResNet's ReLU; each unit is kernel, gamma, beta, mean, variance."""
    outputs = features
    for index, (kernel, *norm) in enumerate(units):
        outputs = batch_norm(convolve(outputs, kernel, strides=strides if index == 1 else 1), *norm)
        outputs = np.maximum(outputs, 0) if index < 2 else outputs
    if shortcut is not None:
        features = batch_norm(convolve(features, shortcut[0], strides=strides), *shortcut[1:])
    return np.maximum(outputs + features, 0)
