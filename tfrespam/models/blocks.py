"""What all networks share: how a picture comes in, how a probability goes out, and the usual blocks between."""

import keras
from keras import layers

from tfrespam.layers import ImageStandardization, LocalContrast

NORMALIZATIONS = ("none", "standardize", "local_contrast")


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, to the nearest even number (attention halves it), at least 2."""
    return max(2, 2 * round(channels * width / 2))


def image_input(input_shape, multiple: int, normalization: str = "none"):
    """The input `image` (H, W, C), grey values in [0, 1], and the tensor that the first layer sees.

    Args:
        input_shape: (height, width, channels).
        multiple: The network's total stride, of which height and width must be multiples (or ValueError).
        normalization: "none"; "standardize" for mean 0 and variance 1 in each picture; "local_contrast" for that and,
            as further channels, each pixel against a window of a quarter of the picture's height around it.
    """
    image = checked_input(input_shape, multiple)
    check_choice("normalization", normalization, NORMALIZATIONS)
    return image, _normalized(image, normalization)


def checked_input(input_shape, multiple: int):
    """The input `image` (H, W, C); ValueError unless height and width are multiples of `multiple`."""
    if len(input_shape) != 3 or input_shape[2] is None or input_shape[2] < 1:
        raise ValueError("Argument `input_shape` must be (height, width, channels). "
                         f"Received: input_shape={input_shape}")
    if any(side is not None and (side < multiple or side % multiple) for side in input_shape[:2]):
        raise ValueError(f"Height and width must be multiples of {multiple}, since the network halves them down to "
                         f"1/{multiple} and doubles them again. Received: input_shape={tuple(input_shape)}")
    return keras.Input(tuple(input_shape), name="image")


def _normalized(image, normalization):
    """The picture as it is, standardised, or standardised and beside it each pixel against its neighbourhood."""
    if normalization == "none":
        return image
    standardized = ImageStandardization(name="standardize")(image)
    if normalization == "standardize":
        return standardized
    if image.shape[1] is None:
        raise ValueError('normalization="local_contrast" has a window of a quarter of the height, which must be known. '
                         f"Received: input_shape={tuple(image.shape[1:])}")  # fmt: skip
    local = LocalContrast(image.shape[1] // 4 + 1, name="local_contrast")(image)
    return layers.Concatenate(name="normalized")([standardized, local])


def probability(features, kernel_size=1):
    """The output `probability` (H, W, 1): convolution to one channel and sigmoid, in float32 whatever the policy."""
    logits = layers.Conv2D(1, kernel_size, padding="same", dtype="float32", name="logits")(features)
    return layers.Activation("sigmoid", dtype="float32", name="probability")(logits)


def side_mask(features, factor, name):
    """A side output (H, W, 1), float32: what the features alone, `factor` times smaller, say of the mass."""
    logits = layers.Conv2D(1, 1, dtype="float32", name=f"{name}_conv")(features)
    logits = layers.UpSampling2D(factor, interpolation="bilinear", dtype="float32", name=f"{name}_up")(logits)
    return layers.Activation("sigmoid", dtype="float32", name=name)(logits)


def outputs(probability, sides):
    """What a network's model gives: `probability` alone, or with the side outputs, a dict of names."""
    return {"probability": probability, **sides} if sides else probability


def without_sides(model: keras.Model) -> keras.Model:
    """The network from `image` to `probability` alone, without what only its side outputs need; same weights."""
    if not isinstance(model.output, dict):
        return model
    return keras.Model(model.input, model.output["probability"], name=model.name)


def batch_norm(name: str):
    """Batch normalisation with PyTorch's constants, as in `tfrespam.layers.ConvUnit`."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def norm_relu(features, name):
    """Batch normalisation and ReLU: what comes before a convolution of a densely connected block."""
    return layers.ReLU(name=f"{name}_relu")(batch_norm(f"{name}_bn")(features))


def conv_relu(features, filters, name, kernel_size=3, strides=1, batch_normalization=False, dilation_rate=1):
    """Convolution ("same" padding), batch normalisation on demand, ReLU; a bias only without batch normalisation."""
    features = layers.Conv2D(filters, kernel_size, strides, "same", dilation_rate=dilation_rate,
                             use_bias=not batch_normalization, kernel_initializer="he_normal",
                             name=f"{name}_conv")(features)
    if batch_normalization:
        features = batch_norm(f"{name}_bn")(features)
    return layers.ReLU(name=f"{name}_relu")(features)


def double_conv(features, filters, name, batch_normalization=False):
    """Two 3x3 convolutions with ReLU: the block of U-Net."""
    return conv_relus(features, [filters, filters], name, batch_normalization)


def conv_relus(features, filters, name, batch_normalization=False):
    """3x3 convolutions with ReLU, one for each number of `filters`; numbered from 1 in their names."""
    for index, count in enumerate(filters, 1):
        features = conv_relu(features, count, f"{name}_{index}", batch_normalization=batch_normalization)
    return features


def double_conv_relu_norm(features, filters, name):
    """Two 3x3 convolutions with ReLU, batch normalisation after each ReLU: the block of Connected-UNets."""
    for index in (1, 2):
        features = batch_norm(f"{name}_{index}_bn")(conv_relu(features, filters, f"{name}_{index}"))
    return features


def upsample(features, name):
    """Twice the height and width, bilinear."""
    return layers.UpSampling2D(2, interpolation="bilinear", name=name)(features)


def check_choice(argument: str, value, known) -> None:
    """Raises ValueError unless `value` is one of `known`."""
    if value not in known:
        raise ValueError(f"Argument `{argument}` must be one of {tuple(known)}. Received: {argument}={value!r}")
