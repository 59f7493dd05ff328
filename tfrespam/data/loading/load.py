"""Load a prepared data set in Python and split it."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfrespam.config import DataConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading import protocols
from tfrespam.data.loading.examples import Examples, Split
from tfrespam.data.loading.prepared import Prepared, all_under, find

Protocol = Literal["official", "folds", "paper", "all"]


class PreparedData(Prepared):
    """A prepared data set that can be split and batched; created by `load`."""

    def split(self, protocol: Protocol = "official", fold: int = 0, *, seed: int = 0,
              exclude_films: tuple[str, ...] = ()) -> tuple[Examples, Examples]:  # fmt: skip
        """Return the training and validation examples of a protocol, checked for leaks.

        Args:
            protocol: "official" (without the source's test list), "folds" (five folds by patient), "paper" (13 copies
                of each lesion, shuffled, 8:2; leaks by design) or "all" (training on the whole training list; leaks).
            fold: The fold, 0-4, of patients held out for validation.
            seed: Order of the shuffle of `paper`.
            exclude_films: Films that are not used.

        Raises:
            UserError: Unknown protocol or film, an empty split, a patient in both splits of "official" or "folds", or
                a data set without the copies of "paper", or with them for another protocol.
        """
        train, validation = (self.examples(split, protocol, fold, seed=seed, exclude_films=exclude_films)
                             for split in ("train", "validation"))  # fmt: skip
        return train, validation

    def examples(self, split: Split, protocol: Protocol = "official", fold: int = 0, *, seed: int = 0,
                 exclude_films: tuple[str, ...] = ()) -> Examples:  # fmt: skip
        """Return the examples of one split, such as "test" of the protocol "official"; arguments as for `split`."""
        if not 0 <= fold <= 4:
            raise UserError(f"`fold` must be a fold from 0 to 4. Received: {fold}")
        splits = protocols.splits(self.table, protocol, fold, seed, exclude_films)
        self._check_copies(protocol)
        if split not in splits:
            raise UserError(f"`split` must be one of {', '.join(splits)}. Received: {split!r}")
        chosen = splits[split]
        if not chosen.any():
            raise UserError(f"split {split!r} of protocol {protocol!r}, fold {fold}, contains no example of "
                            f"{self.path}")  # fmt: skip
        audit = self._audit(split, chosen, splits["train"])
        protocols.refuse_leaks(audit, protocol, split) if split != "train" else None
        return Examples(self, chosen, self._data(protocol, fold, exclude_films), split, audit, seed)

    def _check_copies(self, protocol: Protocol) -> None:
        """Raise UserError if the data set has no copies of its lesions and the protocol needs them, or the reverse."""
        needed, copied = protocol == "paper", bool(self.table["copy"].any())
        if needed != copied:
            kinds = {True: "13 copies of each lesion", False: "single lesions"}
            raise UserError(f"protocol {protocol!r} needs {kinds[needed]}. Received: {kinds[copied]} in {self.path}. "
                            f"Load the folder {'with' if needed else 'without'} -x13 at the end of its name; "
                            "python -m tfrespam.train --data.protocol paper makes the copies")

    def _audit(self, split: Split, chosen: np.ndarray, train: np.ndarray) -> dict[str, int | None]:
        if split == "train":
            return {}
        return protocols.leak_audit(self.table, chosen, protocols.identities(self.table, train))

    def _data(self, protocol: Protocol, fold: int, exclude_films: tuple[str, ...]) -> DataConfig:
        return DataConfig(**self.framing, protocol=protocol, fold=fold, exclude_films=exclude_films)

    @property
    def framing(self) -> dict[str, Any]:
        """Name of the data set, and how its images were cut: view, context and size, as in `DataConfig`."""
        known = {name: self.facts[name] for name in ("dataset", "view", "context", "image_size")}
        return known | {"image_width": self.facts.get("image_width", 0)}


def load(path: str | Path, name: str | None = None, *, view: Literal["roi", "film"] = "roi", context: float = 1.6,
         image_size: int = 224, image_width: int = 0) -> PreparedData:  # fmt: skip
    """Load a data set that the stage `prepare` wrote. Only its description is read.

    Args:
        path: Folder of one prepared data set, such as datasets/phantom/roi-1.6-96; or, with `name`, the folder of all
            prepared data sets, such as datasets.
        name: Name of a data set in that folder.
        view, context, image_size, image_width: Settings with which it was prepared; only with `name`.

    Returns:
        The data set; its method `split` returns examples.

    Raises:
        UserError: There is no such data set, or its description is damaged.
    """
    if name is not None:
        data = dataclasses.replace(DataConfig(), dataset=name, view=view, context=context, image_size=image_size,
                                   image_width=image_width)  # fmt: skip
        return PreparedData(find(path, data).path)
    folder = Path(path)
    if (folder / "dataset.json").is_file():
        data_set = PreparedData(folder)
        data_set.facts  # noqa: B018  reports damage now
        return data_set
    found = [str(each.path) for each in all_under(folder)]
    raise UserError(f"`path` must be the folder of one prepared data set, with its dataset.json. Received: {path}. "
                    f"Found below: {', '.join(found) or 'none'}. With `name`, `path` is the folder of all data sets")
