"""Fine-tuning: initialise a network with the weights of another one, where their shapes match."""

import difflib
from pathlib import Path
from typing import Any

import keras

from tfrespam.core.console import log
from tfrespam.core.errors import UserError
from tfrespam.core.files import read_json
from tfrespam.models.stored import load_network
from tfrespam.serving.inference.saved_model import METADATA, network_file

SHOWN = 8  # largest number of unmatched layers that a message names


def load_initial_weights(network: keras.Model, path: str | Path) -> int:
    """Copy the weights of another network into `network`, log those without a match, and return how many matched.

    Weights are matched by name and shape, in their order, so that networks that differ in a few layers share the
    others.

    Args:
        network: Network to train; changed in place.
        path: An exported model's folder, or a .keras file.

    Raises:
        UserError: There is no network at `path`, or none of its weights matches.
    """
    file = network_file(path)
    source, target = load_network(file).weights, network.weights
    matcher = difflib.SequenceMatcher(None, _kinds(source), _kinds(target), autojunk=False)
    pairs = [(block.a + n, block.b + n) for block in matcher.get_matching_blocks() for n in range(block.size)]
    if not pairs:
        raise UserError(f"`training.initial_weights`: none of the {len(source)} weights of {file} matches the network, "
                        f"which has {len(target)}. Name a model of the same network, width and options")
    for here, there in pairs:
        target[there].assign(source[here].numpy())
    taken = {there for _, there in pairs}
    _report(file, [weight for number, weight in enumerate(target) if number not in taken], len(target),
            len(source) - len(pairs))  # fmt: skip
    return len(pairs)


def _kinds(weights: list) -> list[tuple]:
    return [(weight.name, tuple(weight.shape)) for weight in weights]


def _report(file: Path, new: list, count: int, left: int) -> None:
    log.info(f"initial weights: {count - len(new)} of {count} weights from {file}")
    if new:
        layers = list(dict.fromkeys(weight.path.rpartition("/")[0] for weight in new))
        more = f" and {len(layers) - SHOWN} more" if len(layers) > SHOWN else ""
        log.info(f"randomly initialised, because no weights match: {', '.join(layers[:SHOWN])}{more}")
    if left:
        log.info(f"weights of that network that were not used: {left}")


def load_trained(path: str | Path) -> tuple[keras.Model, dict[str, Any] | None]:
    """Load the network of an export or a .keras file; return it and the identities of its training (`trained_before`).
    """
    return load_network(network_file(path)), trained_before(path)


def trained_before(path: str | Path) -> dict[str, Any] | None:
    """Return the identities (`protocols.identities`) of the examples that trained the weights; None if unknown."""
    folder = network_file(path).parent
    for name in (METADATA, "facts.json"):  # of an export, of a run
        if (folder / name).is_file():
            known: dict[str, Any] = read_json(folder / name, "Name another model")
            return known.get("trained_on")
    return None
