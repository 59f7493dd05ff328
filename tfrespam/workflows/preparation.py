"""Prepare a data set: read films, repair known faults, and write examples, index, ledger and folds."""

import hashlib
import json
import os
from collections import Counter
from pathlib import Path

from tfrespam.core import runtime
from tfrespam.core.console import log
from tfrespam.core.errors import UserError
from tfrespam.core.files import is_plain_name, walk, whole_directory
from tfrespam.core.locks import in_turn
from tfrespam.data.geometry.crop import POLICY
from tfrespam.data.loading.prepared import COPIES, Prepared, config_name
from tfrespam.data.preparing import beam_readers, film_pool
from tfrespam.data.preparing.film_examples import CropPolicy
from tfrespam.data.readers import cbis_ddsm
from tfrespam.data.readers.sources import find_source


def prepare_source(source: Path, home: Path, name: str | None, view: str, context: float, image_size: int,
                   workers: int | None = None, beam_runner: str | None = None,
                   image_width: int = 0) -> Path:  # fmt: skip
    """Prepare `source` under `home` unless that is already done; return the folder of the data set."""
    _check(name, context, image_size, workers)
    _check_width(image_width, view)
    if not source.is_dir():
        raise UserError(f"`source` must be a folder that exists. Received: {source}")
    module = find_source(source)
    inventory = module.scan(source)
    if view not in inventory.views:
        raise UserError(f"`view` {view} cannot be made from {inventory.layout}. Expected: {', '.join(inventory.views)}")
    name = name or inventory.name
    if name == cbis_ddsm.PHANTOM and not (module is cbis_ddsm and inventory.name == name):
        raise UserError(f"the name {name!r} is reserved for generated films, with which `train` would replace "
                        "these. Choose another `name`")  # fmt: skip
    path = home / name / config_name(view, context, image_size, image_width=image_width)
    plan = {"dataset": name, "layout": inventory.layout, "view": view, "context": context, "image_size": image_size,
            "crop_policy": POLICY[view], "fingerprint": _fingerprint(source, inventory)}  # fmt: skip
    plan |= {"image_width": image_width} if image_width not in (0, image_size) else {}
    with in_turn(path.parent, f"another process prepares {path.parent}; waiting for it"):
        if _is_done(path, plan):
            log.info(f"{path}: already prepared from this source, nothing to do")
            return path
        if path.exists():
            log.info(f"{path} was prepared from other files, or by other rules; it will be replaced")
        log.info(f"{name}: {inventory.layout} layout, {len(inventory.films)} films to read")
        for note in inventory.notes:
            log.info(f"note: {note}")
        films, policy = inventory.by_split(), CropPolicy(view, context, (image_size, image_width or image_size))
        if beam_runner:
            reading = beam_readers.reading(module.__name__, films, policy, beam_runner, path.parent)
        else:
            reading = film_pool.reading(module.__name__, films, policy, workers)
        with reading as read:
            runtime.load_tensorflow()
            from tfrespam.workflows import prepared_folder

            with whole_directory(path) as folder:
                ledger = prepared_folder.write_examples(folder, inventory, plan, read)
        _say(path, ledger)
        return path


def missing(path: Path) -> tuple[int, int]:
    """Count the lesions of a prepared data set without film or mask, and the listed lesions.

    Lists without any existing film, such as the test list, are not counted.
    """
    actions = Prepared(path).facts.get("actions", {})
    return actions.get("skipped_missing", 0), sum(actions.values()) - actions.get("absent", 0)


def prepare_copies(prepared) -> Path:
    """Make the paper's 13 copies of each training lesion, unless done already; return their folder."""
    keys = ("dataset", "layout", "view", "context", "image_size", "crop_policy", "fingerprint")
    plan = {key: prepared.facts[key] for key in keys} | {"copies": COPIES}
    path = prepared.path.parent / config_name(plan["view"], plan["context"], plan["image_size"], COPIES)
    with in_turn(path.parent, f"another process prepares {path.parent}; waiting for it"):
        if not _is_done(path, plan):
            runtime.load_tensorflow()
            from tfrespam.workflows import prepared_folder

            prepared_folder.write_copies(path, prepared, plan)
    return path


def _check(name: str | None, context: float, image_size: int, workers: int | None) -> None:
    if context < 1:
        raise UserError(f"`context` must be at least 1 (the lesion's own box). Received: {context}")
    if image_size < 32:
        raise UserError(f"`image_size` must be at least 32 pixels. Received: {image_size}")
    if name is not None and not is_plain_name(name):  # it becomes a folder of the home
        raise UserError(f"`name` must be a plain folder name. Received: {name!r}")
    if workers is not None and workers < 1:
        raise UserError(f"`workers` must be 1 or more. Received: {workers}")


def _check_width(image_width: int, view: str) -> None:
    if image_width and (view != "film" or image_width < 32):
        raise UserError("`image_width` needs `view` film, since crops are square, and must be at least 32 pixels. "
                        f"Received: {image_width} with {view!r}")


def _fingerprint(source: Path, inventory) -> str:
    """Hash films and ledger, and path, size and time of every file of the source, linked folders included."""
    digest = hashlib.sha256(repr((inventory.films, inventory.ledger)).encode())
    files = (Path(folder, name) for folder, names in walk(source) for name in names)
    for file in sorted(path for path in files if path.is_file()):
        state = file.stat()
        digest.update(os.fsencode(f"{file.relative_to(source)} {state.st_size} {state.st_mtime_ns}\n"))
    return digest.hexdigest()


def _is_done(path: Path, plan: dict) -> bool:
    try:
        facts = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all(facts.get(key) == value for key, value in plan.items())


def _say(path: Path, ledger: list) -> None:
    facts = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
    actions = ", ".join(f"{count} {action}" for action, count in Counter(row.action for row in ledger).most_common())
    log.info(f"ledger: {len(ledger)} lesions of the list: {actions}")
    if facts["without_mass"]:
        log.info(f"note: {facts['without_mass']} images contain no pixel of their mass, which is too small for "
                          f"{facts['image_size']} pixels a side; they are used as images without a mass")  # fmt: skip
    log.info(f"{facts['examples']} examples of {facts['patients']} patients; median coverage (share of an "
                      f"image that is mass) {facts['median_coverage']:.3f}\n{path}")
