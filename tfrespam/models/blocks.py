"""Building blocks shared by all networks: input, probability output, auxiliary outputs, convolution blocks."""

import keras
from keras import layers

from tfrespam.layers import ImageStandardization, LocalContrast

NORMALIZATIONS = ("none", "standardize", "local_contrast")


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded to an even number (attention halves it), at least 2."""
    return max(2, 2 * round(channels * width / 2))


def image_input(input_shape, multiple: int, normalization: str = "none"):
    """Create the input `image` (H, W, C), grey values in [0, 1], and return it with the tensor for the first layer.

    Args:
        input_shape: (height, width, channels).
        multiple: Total stride of the network; height and width must be multiples of it (or ValueError).
        normalization: "none"; "standardize" for mean 0 and variance 1 of each image; "local_contrast" for that and, as
            further channels, local contrast in a window of a quarter of the image's height around each pixel.
    """
    image = checked_input(input_shape, multiple)
    check_choice("normalization", normalization, NORMALIZATIONS)
    return image, _normalized(image, normalization)


def checked_input(input_shape, multiple: int):
    """Create the input `image` (H, W, C). Raises ValueError unless height and width are multiples of `multiple`."""
    if len(input_shape) != 3 or input_shape[2] is None or input_shape[2] < 1:
        raise ValueError("Argument `input_shape` must be (height, width, channels). "
                         f"Received: input_shape={input_shape}")
    if any(side is not None and (side < multiple or side % multiple) for side in input_shape[:2]):
        raise ValueError(f"Height and width must be multiples of {multiple}, since the network halves them down to "
                         f"1/{multiple} and doubles them again. Received: input_shape={tuple(input_shape)}")
    return keras.Input(tuple(input_shape), name="image")


def _normalized(image, normalization):
    """Normalise the image: unchanged, standardised, or standardised and concatenated with its local contrast."""
    if normalization == "none":
        return image
    standardized = ImageStandardization(name="standardize")(image)
    if normalization == "standardize":
        return standardized
    if image.shape[1] is None:
        raise ValueError('normalization="local_contrast" requires a fixed height: its window is a quarter of it. '
                         f"Received: input_shape={tuple(image.shape[1:])}")  # fmt: skip
    local = LocalContrast(image.shape[1] // 4 + 1, name="local_contrast")(image)
    return layers.Concatenate(name="normalized")([standardized, local])


def probability(features, kernel_size=1):
    """Create the output `probability` (H, W, 1): convolution to one channel and sigmoid, always in float32."""
    logits = layers.Conv2D(1, kernel_size, padding="same", dtype="float32", name="logits")(features)
    return layers.Activation("sigmoid", dtype="float32", name="probability")(logits)


def side_mask(features, factor, name):
    """Create an auxiliary output (H, W, 1), float32: a mask predicted from features that are `factor` times smaller."""
    logits = layers.Conv2D(1, 1, dtype="float32", name=f"{name}_conv")(features)
    logits = layers.UpSampling2D(factor, interpolation="bilinear", dtype="float32", name=f"{name}_up")(logits)
    return layers.Activation("sigmoid", dtype="float32", name=name)(logits)


def outputs(probability, sides):
    """Return a network's outputs: `probability` alone, or a dict of `probability` and the auxiliary outputs by name."""
    return {"probability": probability, **sides} if sides else probability


def without_sides(model: keras.Model) -> keras.Model:
    """Return the network from `image` to `probability`, with the same weights, without its auxiliary outputs.

    Layers that only the auxiliary outputs need are removed too.
    """
    if not isinstance(model.output, dict):
        return model
    return keras.Model(model.input, model.output["probability"], name=model.name)


def batch_norm(name: str):
    """Create batch normalisation with PyTorch's constants, as in `tfrespam.layers.ConvUnit`."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def norm_relu(features, name):
    """Apply batch normalisation and ReLU, as before each convolution of a densely connected block."""
    return layers.ReLU(name=f"{name}_relu")(batch_norm(f"{name}_bn")(features))


def conv_relu(features, filters, name, kernel_size=3, strides=1, batch_normalization=False, dilation_rate=1):
    """Apply a convolution ("same" padding), optional batch normalisation, and ReLU; a bias only without the former."""
    features = layers.Conv2D(filters, kernel_size, strides, "same", dilation_rate=dilation_rate,
                             use_bias=not batch_normalization, kernel_initializer="he_normal",
                             name=f"{name}_conv")(features)
    if batch_normalization:
        features = batch_norm(f"{name}_bn")(features)
    return layers.ReLU(name=f"{name}_relu")(features)


def double_conv(features, filters, name, batch_normalization=False):
    """Apply two 3x3 convolutions with ReLU, the block of U-Net."""
    return conv_relus(features, [filters, filters], name, batch_normalization)


def conv_relus(features, filters, name, batch_normalization=False):
    """Apply 3x3 convolutions with ReLU, one for each element of `filters`; their names are numbered from 1."""
    for index, count in enumerate(filters, 1):
        features = conv_relu(features, count, f"{name}_{index}", batch_normalization=batch_normalization)
    return features


def double_conv_relu_norm(features, filters, name):
    """Apply two 3x3 convolutions, each with ReLU and then batch normalisation, the block of Connected-UNets."""
    for index in (1, 2):
        features = batch_norm(f"{name}_{index}_bn")(conv_relu(features, filters, f"{name}_{index}"))
    return features


def upsample(features, name):
    """Double height and width by bilinear interpolation."""
    return layers.UpSampling2D(2, interpolation="bilinear", name=name)(features)


def check_choice(argument: str, value, known) -> None:
    """Raise ValueError unless `value` is one of `known`."""
    if value not in known:
        raise ValueError(f"Argument `{argument}` must be one of {tuple(known)}. Received: {argument}={value!r}")
