"""Reference implementation of ResPAM U-Net's equations in NumPy."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(image, kernel, bias=0.0, strides=1):
    """Convolve image (H, W, C) with kernel (k, k, C, filters) under TensorFlow's "same" padding (odd pixel at the end).
    """
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
    """Apply CRC (1x1 convolution, ReLU, 1x1 convolution) to a channel vector; `reduce`, `expand` are (kernel, bias)."""
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


def randomize(layer):
    """Set random weights, with positive variances in batch normalisation."""
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        positive = weight.path.endswith("variance")
        weight.assign(rng.uniform(0.2, 1, weight.shape) if positive else rng.normal(size=weight.shape, scale=0.5))


def parts(layer):
    """Return the residual module's units and shortcut as NumPy arrays."""
    units = [[np.array(w) for w in unit.weights] for unit in layer.units]
    return [_kernel_and_norm(unit) for unit in units], layer.shortcut and _kernel_and_norm(layer.shortcut.get_weights())


def _kernel_and_norm(weights):
    return sorted(weights, key=lambda w: -w.ndim)  # kernel, then gamma, beta, mean, variance in the layer's order
