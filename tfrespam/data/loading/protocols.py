"""Split protocols `official`, `folds`, `paper` and `all`, and their leak audit.

All functions use the columns of index.csv (`Prepared.table`) and return bool masks of its rows.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.config import LEAKING
from tfrespam.core.console import log
from tfrespam.core.errors import UserError

Table = Mapping[str, np.ndarray]
Identities = Mapping[str, Any]  # of `identities`, and under "before" those of earlier trainings on other data sets
SPLITS = ("train", "validation", "test")
PAPER_TRAINING_SHARE = 0.8


def folds(patients: list[str], count: int = 5) -> dict[str, int]:
    """Return the fold 0..count-1 of each patient; sizes differ by at most one, and the order is a hash of the id."""
    order = sorted(set(patients), key=lambda patient: hashlib.sha256(f"fold {patient}".encode()).hexdigest())
    return {patient: position % count for position, patient in enumerate(order)}


def _official(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """Use the source's test list, and split its training list by patient."""
    in_test, held_out = table["split"] == "test", table["fold"] == fold
    return {"train": ~in_test & ~held_out, "validation": ~in_test & held_out, "test": in_test}


def _folds(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """Validate on fold `fold` of the training list's patients, and train on the other four; the test list is unused."""
    splits = _official(table, fold, seed)
    return {**splits, "test": np.zeros_like(splits["test"])}


def _paper(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """Shuffle all copies of the training list and split them 8:2, as in the paper; copies of a lesion are in both."""
    copies = np.flatnonzero(table["split"] != "test")
    order = np.random.default_rng([seed, 8 * 2]).permutation(copies)
    cut = int(PAPER_TRAINING_SHARE * len(order))  # 17,134 copies: 13,707 and 3,427
    splits = {name: np.zeros(len(table["split"]), bool) for name in SPLITS}
    splits["train"][order[:cut]] = splits["validation"][order[cut:]] = True
    return splits


def _all(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """Train on the whole training list; fold `fold` of it is also the validation split, which overestimates scores."""
    splits = _official(table, fold, seed)
    return {**splits, "train": splits["train"] | splits["validation"]}


PROTOCOLS: dict[str, Callable[[Table, int, int], dict[str, np.ndarray]]] = {
    "official": _official,
    "folds": _folds,
    "paper": _paper,
    "all": _all,
}


def splits(table: Table, protocol: str, fold: int = 0, seed: int = 0, exclude_films: tuple[str, ...] = (),
           absent_films: int = 0) -> dict[str, np.ndarray]:  # fmt: skip
    """Split the examples: "train", "validation" and "test" -> bool per example; a split may be empty.

    Args:
        table: Columns `split`, `fold`, `film_id` … of equal length N.
        protocol: A key of `PROTOCOLS`.
        fold: The patient fold that `official` and `folds` hold out; with `all` it is trained on too.
        seed: Seed of the shuffle of `paper`.
        exclude_films: Films that are not used.
        absent_films: How many of them may be missing from the table; a warning names these.

    Raises:
        UserError: Unknown protocol, or more missing films.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"unknown protocol. Expected one of {', '.join(PROTOCOLS)}. Received: {protocol!r}")
    _check_excluded(sorted(set(exclude_films) - set(table["film_id"])), absent_films)
    kept = ~np.isin(table["film_id"], exclude_films)
    return {name: split & kept for name, split in PROTOCOLS[protocol](table, fold, seed).items()}


def _check_excluded(absent: list[str], allowed: int) -> None:
    message = f"`data.exclude_films` names films that the data set does not contain: {', '.join(absent)}"
    if len(absent) > allowed:
        raise UserError(f"{message}. Expected at most {allowed} of them (`data.absent_films`). Received: "
                        f"{len(absent)}. Correct the names, or raise that number")  # fmt: skip
    if absent:
        log.warning(f"warning: {message}")


def identities(table: Table, chosen: np.ndarray) -> dict[str, list[str]]:
    """Hash the lesions, films, breasts, patients and data sets of the chosen examples, for storage with a model.

    Args:
        table: Columns of index.csv.
        chosen: Bool per example.
    """
    kinds = {**_kinds(table), "source": table["source"]}
    return {kind: sorted(set(_hashed(kind, values[chosen]))) for kind, values in kinds.items()}


def joined(*trainings: Identities) -> dict[str, Any]:
    """Join the `identities` of several trainings of one network.

    Trainings on other data sets than the first are listed separately, under "before": equal ids of different data sets
    are coincidences. A kind of id that one of the joined trainings does not record is omitted.
    """
    first, *others = [each for training in trainings for each in _each(training)]
    apart = []
    for other in others:
        if _may_share(first, other):
            first = {kind: sorted({*hashes, *other[kind]}) for kind, hashes in first.items() if kind in other}
        else:
            apart.append(other)
    return first | ({"before": apart} if apart else {})


def _each(trained: Identities) -> list[dict[str, list[str]]]:
    """Return the identities of each data set that was trained on."""
    return [{kind: hashes for kind, hashes in trained.items() if kind != "before"}, *trained.get("before", ())]


def _may_share(first: Identities, second: Identities) -> bool:
    """Return whether two trainings may have had examples of one data set."""
    known = first.get("source"), second.get("source")
    return None in known or not set(known[0]).isdisjoint(known[1])


def leak_audit(table: Table, evaluated: np.ndarray, trained: Identities | None) -> dict[str, int | None]:
    """Count the evaluated examples whose copy, film, breast or patient is among the training examples.

    Args:
        table: Columns of index.csv.
        evaluated: Bool per example.
        trained: `identities` of the training examples, or `joined` ones; if None (unknown), each count is None.
    """
    if trained is None:
        return dict.fromkeys(_kinds(table))
    relevant = [each for each in _each(trained) if not _is_other(table, evaluated, each)] or _each(trained)[:1]
    return {kind: _count(_hashed(kind, values[evaluated]), [each.get(kind) for each in relevant])
            for kind, values in _kinds(table).items()}  # fmt: skip


def _count(hashes: list[str], known: Sequence[list[str] | None]) -> int | None:
    """Count the hashes in any of the lists; None if a list is unknown."""
    if any(each is None for each in known):
        return None
    return int(np.isin(hashes, [value for each in known for value in each or ()]).sum())


def of_other_sources(table: Table, evaluated: np.ndarray, trained: Identities | None) -> bool:
    """Return whether all evaluated examples are of other data sets than the training examples; False if unknown.

    Patients of different data sets may have the same ids, such as 1, 2, 3, by chance.
    """
    return trained is not None and all(_is_other(table, evaluated, each) for each in _each(trained))


def _is_other(table: Table, evaluated: np.ndarray, trained: Identities) -> bool:
    known = trained.get("source")
    return known is not None and not np.isin(_hashed("source", table["source"][evaluated]), known).any()


def _kinds(table: Table) -> dict[str, np.ndarray]:
    breast = np.char.add(np.char.add(table["patient_id"], "|"), table["laterality"])
    return {"copy": table["lesion_id"], "film": table["film_id"], "breast": breast, "patient": table["patient_id"]}


def _hashed(kind: str, values: np.ndarray) -> list[str]:
    return [hashlib.sha256(f"{kind} {value}".encode()).hexdigest()[:12] for value in values]


def is_honest(protocol: str, split: str) -> bool:
    """Return whether a split must have no patient in common with the training examples."""
    return protocol not in LEAKING or split == "test"


def refuse_leaks(audit: Mapping[str, int | None], protocol: str, split: str = "validation") -> None:
    """Raise UserError if the protocol must not leak for this split and a count of the audit is not zero."""
    if is_honest(protocol, split) and any(audit.values()):
        found = ", ".join(f"{count} share a {name}" for name, count in audit.items() if count)
        raise UserError(f"protocol {protocol!r} leaks: of the evaluated lesions {found} with the training set. "
                        "Expected none. Evaluate the fold that the model held out, or correct the source's lists or "
                        "patient ids; only the validation of protocols 'paper' and 'all' may leak")
