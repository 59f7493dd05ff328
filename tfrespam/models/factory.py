"""Registry and factory of the networks."""

import inspect
from collections.abc import Callable

import keras

from tfrespam.core import own_parts
from tfrespam.core.errors import UserError
from tfrespam.models.attention_dense_unet import attention_dense_unet
from tfrespam.models.attention_unet import attention_unet
from tfrespam.models.au_net import au_net
from tfrespam.models.backbone_unet import backbone_unet
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

BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "respam_unet": respam_unet,
    "ds_unet": ds_unet,
    "au_net": au_net,
    "attention_unet": attention_unet,
    "unet": unet,
    "connected_unets": connected_unets,
    "segnet": segnet,
    "connected_segnets": connected_segnets,
    "resnet50_unet": resnet50_unet,
    "backbone_unet": backbone_unet,
    "cgan": cgan,
    "fc_densenet_ms": fc_densenet_ms,
    "prior_knowledge_net": prior_knowledge_net,
    "attention_dense_unet": attention_dense_unet,
    "ru_net": ru_net,
    "multi_input": multi_input,
}
ENTRY_POINTS = "tfrespam.models"  # group under which installed packages register networks
# Networks with adversarial training -> function that builds the discriminator from the image's shape and the width.
DISCRIMINATORS = {"cgan": patch_discriminator}


def build_model(name: str, input_shape=(224, 224, 1), width: float = 1.0, **options) -> keras.Model:
    """Build a network by name.

    Args:
        name: A key of `tfrespam.models.BUILDERS`; or your own function, `package.module:function`, or the name of an
            entry point `tfrespam.models` of an installed package. The function is called with `input_shape`, `width`
            and the options; it must return a functional model with one output, or with a dict of outputs that includes
            "probability".
        input_shape: (height, width, channels) of the input `image`, grey values in [0, 1].
        width: Factor on every channel count.
        options: Keyword arguments of the network's builder.

    Returns:
        A functional model with the input `image` and the output `probability`, (N, height, width, 1) float32 in
        [0, 1] under every precision policy. Auxiliary outputs, which only training needs, have other names.

    Raises:
        ValueError: Unknown name or option, or a value that is invalid for the network.
        UserError: Your own function cannot be imported, or returns another kind of model.

    Examples:
        >>> model = build_model("unet", (64, 96, 1), width=0.125)
        >>> model(keras.ops.zeros((2, 64, 96, 1))).shape
        TensorShape([2, 64, 96, 1])
    """
    builder = find_builder(name)
    if not width > 0:
        raise ValueError(f"Argument `width` must be above 0. Received: width={width}")
    parameters = list(inspect.signature(builder).parameters.values())[2:]  # after input_shape and width
    valid = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    unknown = [option for option in options if option not in valid]
    if unknown and len(valid) == len(parameters):
        raise ValueError(f"Options of {name!r} are {', '.join(valid)}. Received: {', '.join(unknown)}")
    model = builder(tuple(input_shape), width, **options)
    if name not in BUILDERS:
        _check_own(model, name, tuple(input_shape))
    return model


def find_builder(name: str) -> Callable[..., keras.Model]:
    """Return the function that builds the network `name`; the user's own functions are imported.

    Raises:
        ValueError: The name is unknown.
        UserError: The user's function cannot be imported.
    """
    builder = BUILDERS.get(name) or own_parts.find(name, ENTRY_POINTS, "`model.name`")
    if builder is None:
        raise ValueError(f"Argument `name` must be one of {', '.join(BUILDERS)}, or package.module:function. "
                         f"Received: name={name!r}")  # fmt: skip
    return builder


def _check_own(model: object, name: str, input_shape: tuple[int, ...]) -> None:
    """Raise UserError unless the user's own network has the required output."""
    output = getattr(model, "output", None)
    output = output.get("probability") if isinstance(output, dict) else output
    if not isinstance(model, keras.Model) or getattr(output, "shape", None) != (None, *input_shape[:2], 1):
        raise UserError(f"`model.name`: {name} must return a functional Keras model whose output, or whose output "
                        f"'probability', has the shape {(None, *input_shape[:2], 1)}. Received: {type(model).__name__} "
                        f"with {getattr(output, 'shape', output)}")  # fmt: skip
