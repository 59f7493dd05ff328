"""Group networks that evaluated the same images: only these are comparable in one table."""

import collections
from collections.abc import Mapping
from typing import NamedTuple

from tfrespam.studies.comparison.collect import Scores


class Block(NamedTuple):
    """Networks and the images that all of them evaluated.

    Args:
        networks: Names of the networks, in the given order.
        images: Sorted names of the images, at least one.
        label: Description of both, different for each block.
    """

    networks: tuple[str, ...]
    images: tuple[str, ...]
    label: str


def blocks(networks: Mapping[str, Scores]) -> list[Block]:
    """Group all networks on their common images, and networks with more images on these.

    Args:
        networks: Scores by name. Networks that were trained with more folds or seeds evaluated more images.

    Returns:
        First the block of all networks, unless they have no common image; then a block for each other set of images,
        the smallest first, with every network that evaluated all of it.
    """
    evaluated = {name: frozenset(scores.images.tolist()) for name, scores in networks.items()}
    shared = frozenset.intersection(*evaluated.values())
    further = sorted(set(evaluated.values()) - {shared}, key=lambda images: (len(images), sorted(images)))
    return _labelled([_block(evaluated, images) for images in [shared, *further] if images])


def _block(evaluated: Mapping[str, frozenset], images: frozenset) -> Block:
    members = tuple(name for name, mine in evaluated.items() if images <= mine)
    who = "all networks" if len(members) == len(evaluated) else f"{len(members)} of {len(evaluated)} networks"
    return Block(members, tuple(sorted(images)), f"{len(images):,} images evaluated by {who}")


def _labelled(found: list[Block]) -> list[Block]:
    """Add the networks' names to labels that several blocks have: as many images, but other ones."""
    times = collections.Counter(block.label for block in found)
    return [block._replace(label=f"{block.label}: {', '.join(block.networks)}") if times[block.label] > 1 else block
            for block in found]  # fmt: skip
