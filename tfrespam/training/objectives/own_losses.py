"""Create losses by name, including the user's own."""

from collections.abc import Mapping
from typing import Any

import keras

from tfrespam.core import own_parts
from tfrespam.core.errors import UserError
from tfrespam.losses import get_loss, loss_names

ENTRY_POINTS = "tfrespam.losses"  # group under which installed packages register losses


def make_loss(name: str, options: Mapping[str, Any]) -> keras.losses.Loss:
    """Create a loss.

    Args:
        name: One of `tfrespam.losses.loss_names()`; the user's own class, `package.module:Class`; or the name of an
            entry point `tfrespam.losses` of an installed package.
        options: Its keyword arguments.

    Raises:
        ValueError: Unknown name, or an option that the loss does not take.
        UserError: The user's class cannot be imported or created, or is not a `keras.losses.Loss`.
    """
    own = None if name in loss_names() else own_parts.find(name, ENTRY_POINTS, "`training.loss`")
    if own is None:
        return get_loss(name, **options)
    try:
        loss = own(**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"`training.loss`: {name} cannot be created with the options {dict(options)}: "
                        f"{error}") from error
    if not isinstance(loss, keras.losses.Loss):
        raise UserError(f"`training.loss` must name a subclass of keras.losses.Loss. Received: {name}, which gives "
                        f"{type(loss).__name__}")  # fmt: skip
    return loss
