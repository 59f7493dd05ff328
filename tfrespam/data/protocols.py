"""Who trains and who judges: the protocols `official`, `folds`, `paper` and `all`, and their leak audit.

All work on the columns of index.csv (`Prepared.table`) and return which examples, by position, take which part.
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from tfrespam.config import LEAKING
from tfrespam.errors import UserError

Table = Mapping[str, np.ndarray]
SPLITS = ("train", "validation", "test")
PAPER_TRAINING_SHARE = 0.8


def folds(patients: list[str], count: int = 5) -> dict[str, int]:
    """Patient -> fold 0..count-1, of equal size but for one, in an order that no property of the patients decides."""
    order = sorted(set(patients), key=lambda patient: hashlib.sha256(f"fold {patient}".encode()).hexdigest())
    return {patient: position % count for position, patient in enumerate(order)}


def _official(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """The source's own test list; its training list cut by patient."""
    in_test, held_out = table["split"] == "test", table["fold"] == fold
    return {"train": ~in_test & ~held_out, "validation": ~in_test & held_out, "test": in_test}


def _folds(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """Fold `fold` of the training list's patients judges, the other four train; the test list stays out."""
    parts = _official(table, fold, seed)
    return {**parts, "test": np.zeros_like(parts["test"])}


def _paper(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """All copies of the training list shuffled and cut 8:2, as the paper did: siblings on both sides."""
    copies = np.flatnonzero(table["split"] != "test")
    order = np.random.default_rng([seed, 8 * 2]).permutation(copies)
    cut = int(PAPER_TRAINING_SHARE * len(order))  # 17,134 copies: 13,707 and 3,427
    parts = {name: np.zeros(len(table["split"]), bool) for name in SPLITS}
    parts["train"][order[:cut]] = parts["validation"][order[cut:]] = True
    return parts


def _all(table: Table, fold: int, seed: int) -> dict[str, np.ndarray]:
    """The whole training list trains; fold `fold` of it is looked at beside, which tells no score of new patients."""
    parts = _official(table, fold, seed)
    return {**parts, "train": parts["train"] | parts["validation"]}


PROTOCOLS: dict[str, Callable[[Table, int, int], dict[str, np.ndarray]]] = {
    "official": _official,
    "folds": _folds,
    "paper": _paper,
    "all": _all,
}


def parts(table: Table, protocol: str, fold: int = 0, seed: int = 0, exclude_films: tuple[str, ...] = ()) -> dict:
    """Part -> bool per example ("train", "validation", "test"; a part may be empty).

    Args:
        table: Columns `split`, `fold`, `film_id` … of equal length N.
        protocol: A key of `PROTOCOLS`.
        fold: The patient fold held out by `official` and `folds`; `all` only looks at it.
        seed: Order of the `paper` shuffle.
        exclude_films: Films that take no part; each must occur.

    Raises:
        UserError: Unknown protocol or film, or an honest protocol whose parts share a patient.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"unknown protocol. Expected one of {', '.join(PROTOCOLS)}. Received: {protocol!r}")
    unknown = sorted(set(exclude_films) - set(table["film_id"]))
    if unknown:
        raise UserError(f"--data.exclude_films names films that the data set does not hold: {', '.join(unknown)}")
    kept = ~np.isin(table["film_id"], exclude_films)
    return {name: part & kept for name, part in PROTOCOLS[protocol](table, fold, seed).items()}


def identities(table: Table, chosen: np.ndarray) -> dict[str, list[str]]:
    """Hashes of the lesions, films, breasts and patients of the chosen examples, and of the data sets that they are of:
    what a model remembers of them.

    Args:
        table: Columns of index.csv.
        chosen: Bool per example.
    """
    kinds = {**_kinds(table), "source": table["source"]}
    return {kind: sorted(set(_hashed(kind, values[chosen]))) for kind, values in kinds.items()}


def leak_audit(table: Table, judged: np.ndarray, trained: Mapping[str, list[str]] | None) -> dict[str, int | None]:
    """How many judged examples have a copy, their film, their breast or their patient among the training ones.

    Args:
        table: Columns of index.csv.
        judged: Bool per example.
        trained: `identities` of the training examples; None where nobody knows them, and each count is None then.
    """
    if trained is None:
        return dict.fromkeys(_kinds(table))
    return {kind: int(np.isin(_hashed(kind, values[judged]), trained[kind]).sum())
            for kind, values in _kinds(table).items()}  # fmt: skip


def of_other_sources(table: Table, judged: np.ndarray, trained: Mapping[str, list[str]] | None) -> bool:
    """Whether the judged examples are all of other data sets than those that trained: then patients of both may have
    the same ids, 1, 2, 3, by chance. False where that is not known.
    """
    known = (trained or {}).get("source")
    return known is not None and not np.isin(_hashed("source", table["source"][judged]), known).any()


def _kinds(table: Table) -> dict[str, np.ndarray]:
    breast = np.char.add(np.char.add(table["patient_id"], "|"), table["laterality"])
    return {"copy": table["lesion_id"], "film": table["film_id"], "breast": breast, "patient": table["patient_id"]}


def _hashed(kind: str, values: np.ndarray) -> list[str]:
    return [hashlib.sha256(f"{kind} {value}".encode()).hexdigest()[:12] for value in values]


def refuse_leaks(audit: Mapping[str, int], protocol: str, split: str = "validation") -> None:
    """Raises UserError when the audit of a split that is to be judged honestly is not all zero."""
    honest = protocol not in LEAKING or split == "test"
    if honest and any(audit.values()):
        found = ", ".join(f"{count} share a {name}" for name, count in audit.items() if count)
        raise UserError(f"protocol {protocol!r} leaks: of the judged lesions {found} with the training set. "
                        "Expected none. Judge the fold that the model held out, or correct the source's lists or "
                        "patient ids; only what protocol 'paper' or 'all' validates on may leak")
