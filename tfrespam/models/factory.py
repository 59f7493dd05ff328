"""The networks by name."""

import inspect

import keras

from tfrespam.models.attention_dense_unet import attention_dense_unet
from tfrespam.models.attention_unet import attention_unet
from tfrespam.models.au_net import au_net
from tfrespam.models.cgan import cgan, patch_discriminator
from tfrespam.models.connected_segnets import connected_segnets
from tfrespam.models.connected_unets import connected_unets
from tfrespam.models.ds_unet import ds_unet
from tfrespam.models.fc_densenet_ms import fc_densenet_ms
from tfrespam.models.multi_input import multi_input
from tfrespam.models.prior_knowledge_net import prior_knowledge_net
from tfrespam.models.resnet50_unet import resnet50_unet
from tfrespam.models.respam_unet import respam_unet
from tfrespam.models.ru_net import ru_net
from tfrespam.models.segnet import segnet
from tfrespam.models.unet import unet

BUILDERS = {
    "respam_unet": respam_unet,
    "ds_unet": ds_unet,
    "au_net": au_net,
    "attention_unet": attention_unet,
    "unet": unet,
    "connected_unets": connected_unets,
    "segnet": segnet,
    "connected_segnets": connected_segnets,
    "resnet50_unet": resnet50_unet,
    "cgan": cgan,
    "fc_densenet_ms": fc_densenet_ms,
    "prior_knowledge_net": prior_knowledge_net,
    "attention_dense_unet": attention_dense_unet,
    "ru_net": ru_net,
    "multi_input": multi_input,
}
# Networks that learn against a second one: how it is built from the picture's shape and the width.
DISCRIMINATORS = {"cgan": patch_discriminator}


def build_model(name: str, input_shape=(224, 224, 1), width: float = 1.0, **options) -> keras.Model:
    """Builds a network.

    Args:
        name: A key of `tfrespam.models.BUILDERS`.
        input_shape: (height, width, channels) of the input `image`, grey values in [0, 1].
        width: Factor on every channel count.
        options: Keyword arguments of the network's builder.

    Returns:
        A functional model with the input `image` and the output `probability`, (N, height, width, 1) float32 in
        [0, 1] under every precision policy. Side outputs that only training needs have other names.

    Raises:
        ValueError: Unknown name or option, or a value that the network cannot use.

    Examples:
        >>> model = build_model("unet", (64, 96, 1), width=0.125)
        >>> model(keras.ops.zeros((2, 64, 96, 1))).shape
        TensorShape([2, 64, 96, 1])
    """
    if name not in BUILDERS:
        raise ValueError(f"Argument `name` must be one of {', '.join(BUILDERS)}. Received: name={name!r}")
    if not width > 0:
        raise ValueError(f"Argument `width` must be above 0. Received: width={width}")
    valid = list(inspect.signature(BUILDERS[name]).parameters)[2:]  # after input_shape and width
    unknown = [option for option in options if option not in valid]
    if unknown:
        raise ValueError(f"Options of {name!r} are {', '.join(valid)}. Received: {', '.join(unknown)}")
    return BUILDERS[name](tuple(input_shape), width, **options)
