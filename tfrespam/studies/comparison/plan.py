"""Plan the trainings of a comparison."""

import collections
import dataclasses
import itertools
import re
from typing import Any, Literal

from tfrespam.config import Experiment
from tfrespam.config_checks import check
from tfrespam.core import own_parts
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.published import LABELS

Protocol = Literal["paper", "folds", "official"]
# Training settings of the base that published recipes keep: budget and use of the machine. All others are reset to
# their defaults, so that no system gets the schedule or averaging of another one.
KEPT_BY_OWN = ("epochs", "select", "precision", "jit", "deterministic", "steps_per_execution", "tensorboard_images")


@dataclasses.dataclass
class OwnRecipe:
    """Published recipe of a system.

    Args:
        training: Settings of `training` (optimizer, loss, schedule, batch) in its publication.
        options: Builder options in its publication, such as auxiliary outputs; they override those of the network.
        augment: Settings of `augment` in its publication.
        departures: Differences between publication and recipe, one sentence each.
    """

    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    augment: dict[str, Any] = dataclasses.field(default_factory=dict)
    departures: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Network:
    """One network of a comparison.

    Args:
        name: A name of `tfrespam.build_model`, or your own function as package.module:function.
        label: Name in tables (default: that of the paper). Required if a network occurs more than once.
        width: Factor on every channel count (default: the base's).
        options: Builder options, added to the base's.
        training: Settings of `training` in the recipe "controlled" that differ from the base, such as {ema: 0}. The
            recipe "own" has its settings under `own`.
        own: Recipe "own".
        seeds: Seeds (default: the comparison's).
        folds: Folds to hold out with the protocol "folds" (default: the comparison's).
        seed_folds: Folds that are also trained with later seeds (default: the comparison's).
    """

    name: str
    label: str = ""
    width: float | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    own: OwnRecipe = dataclasses.field(default_factory=OwnRecipe)
    seeds: list[int] | None = None
    folds: list[int] | None = None
    seed_folds: list[int] | None = None

    @property
    def title(self) -> str:
        return self.label or LABELS.get(self.name, self.name)

    @property
    def key(self) -> str:
        """Name in folder names."""
        named = self.label.lower() or (self.name.lower() if own_parts.is_path(self.name) else "")
        return re.sub(r"[^a-z0-9]+", "_", named).strip("_") or self.name


@dataclasses.dataclass
class Comparison:
    """Settings of a comparison.

    Args:
        name: Name of the results folder.
        base: The experiment that all trainings share, as for `python -m tfrespam.train`. Runs are stored under its
            name, so that comparisons with equal bases share their trainings.
        models: The networks.
        recipes: "controlled" (that of the base for all) and "own" (the published one of each system, same budget).
        protocols: "paper", "folds" and "official".
        per_protocol: Settings for one protocol only, such as
            {paper: {training: {epochs: 3}}} for as many steps on 13 copies as in 39 epochs without them.
        seeds: Seeds; tables give the mean over them and their standard deviation.
        folds: Folds to hold out in turn with "folds"; their images are combined.
        seed_folds: Folds that are also trained with seeds after the first (default: all).
        match_parameters: Number of parameters of every network, within 2 %, to which widths are adjusted; 0: unchanged.
        only: Names or labels of the networks to train; the tables contain all finished ones.
        parallel: Number of simultaneous trainings. Small networks leave cores idle while their graphs are built.
        dry_run: Only print the plan: trainings, missing data, and estimates of time, memory and disk space from a few
            measured steps of each network.
        output: Folder for the results (default: experiments/results/<name>).
    """

    name: str = "comparison"
    base: Experiment = dataclasses.field(default_factory=Experiment)
    models: list[Network] = dataclasses.field(default_factory=list)
    recipes: list[Literal["controlled", "own"]] = dataclasses.field(default_factory=lambda: ["controlled"])
    protocols: list[Protocol] = dataclasses.field(default_factory=lambda: ["paper", "folds"])
    per_protocol: dict[Protocol, dict[str, Any]] = dataclasses.field(default_factory=dict)
    seeds: list[int] = dataclasses.field(default_factory=lambda: [0])
    folds: list[int] = dataclasses.field(default_factory=lambda: [0])
    seed_folds: list[int] | None = None
    match_parameters: int = 0
    only: list[str] = dataclasses.field(default_factory=list)
    parallel: int = 1
    dry_run: bool = False
    output: str = ""


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of the comparison."""

    network: Network
    recipe: str
    experiment: Experiment

    @property
    def protocol(self) -> str:
        return self.experiment.data.protocol

    @property
    def row(self) -> tuple[str, str, str]:
        """Recipe, protocol and label; trainings with the same ones form one row of a table."""
        return self.recipe, self.protocol, self.network.title

    def __str__(self) -> str:
        fold = f", fold {self.experiment.data.fold}" if self.protocol == "folds" else ""
        return f"{self.network.title}, {self.recipe} recipe, {self.protocol}{fold}, seed {self.experiment.seed}"


def trainings(comparison: Comparison) -> list[Training]:
    """Return all trainings: all networks with one recipe, protocol, seed and fold, then those with the next.

    Raises:
        UserError: No network, two with the same label, an unknown name in `only`, or an invalid setting.
    """
    _check_names(comparison)
    planned = {(network.key, protocol): _seeds_and_folds(comparison, network, protocol)
               for network in comparison.models for protocol in comparison.protocols}  # fmt: skip
    turns = range(max(map(len, planned.values())))
    order = itertools.product(turns, comparison.recipes, comparison.protocols, comparison.models)
    return [_training(comparison, network, recipe, protocol, *planned[network.key, protocol][turn])
            for turn, recipe, protocol, network in order if turn < len(planned[network.key, protocol])]


def chosen(comparison: Comparison, network: Network) -> bool:
    """Return whether `only` includes the network."""
    return not comparison.only or not {network.name, network.title, network.key}.isdisjoint(comparison.only)


def _check_names(comparison: Comparison) -> None:
    for field in ("models", "recipes", "protocols", "seeds", "folds"):
        if not getattr(comparison, field):
            raise UserError(f"a comparison needs at least one entry under {field}. Received: none")
    for owner in (comparison, *comparison.models):
        for field in ("recipes", "protocols", "seeds", "folds"):
            values = getattr(owner, field, None) or []
            if len(set(values)) < len(values):
                raise UserError(f"`{field}` must name each value once. Received: {', '.join(map(str, values))}")
    if comparison.parallel < 1:
        raise UserError(f"`parallel` must be at least 1. Received: {comparison.parallel}")
    titles = collections.Counter(network.title for network in comparison.models)
    titles.update(network.key for network in comparison.models if network.key != network.title)
    twice = [title for title, count in titles.items() if count > 1]
    if twice:
        raise UserError(f"every network of a comparison needs a different label. Received twice: {', '.join(twice)}")
    without = [network.title for network in comparison.models if not network.own.training]
    if "own" in comparison.recipes and without:
        raise UserError("recipe 'own' needs each system's published settings under its own.training. "
                        f"Received: none for {', '.join(without)}")
    known = {name for network in comparison.models for name in (network.name, network.title, network.key)}
    unknown = [name for name in comparison.only if name not in known]
    if unknown:
        raise UserError(f"`only` must name networks of this comparison, one of {', '.join(sorted(known))}. "
                        f"Received: {', '.join(unknown)}")


def _seeds_and_folds(comparison: Comparison, network: Network, protocol: str) -> list[tuple[int, int]]:
    """Return (seed, fold) of each training; only "folds" has several folds, later seeds perhaps fewer of them."""
    seeds = comparison.seeds if network.seeds is None else network.seeds
    folds = comparison.folds if network.folds is None else network.folds
    again = comparison.seed_folds if network.seed_folds is None else network.seed_folds
    if protocol != "folds":
        return [(seed, comparison.base.data.fold) for seed in seeds]
    return [(seed, fold) for seed in seeds for fold in folds if seed == seeds[0] or again is None or fold in again]


def _training(comparison: Comparison, network: Network, recipe: str, protocol: str, seed: int, fold: int) -> Training:
    base = comparison.base
    settings = dataclasses.asdict(base)
    settings["model"] = {"name": network.name, "width": network.width or base.model.width,
                         "options": {**base.model.options, **network.options}}  # fmt: skip
    settings = _merged(settings, comparison.per_protocol.get(protocol, {}))
    if recipe == "own":
        settings["training"] = {name: settings["training"][name] for name in KEPT_BY_OWN} | network.own.training
        settings["augment"] = {"draw": base.augment.draw, **network.own.augment}
        settings["model"]["options"].update(network.own.options)
    else:
        settings["training"] = settings["training"] | network.training
    own = "" if recipe == "controlled" else f"-{recipe}"
    settings = _merged(settings, {"name": f"{base.name}-{network.key}{own}", "seed": seed,
                                  "data": {"protocol": protocol, "fold": fold}})  # fmt: skip
    experiment = read(settings, f"{network.title}, {recipe} recipe, {protocol}")
    check(experiment)
    return Training(network, recipe, experiment)


def _merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Merge `changes` into `settings`; nested sections are merged, other values replaced."""
    merged = dict(settings)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def read(settings: dict[str, Any], where: str) -> Experiment:
    """Create the experiment, with the checks of `python -m tfrespam.train` for its file. Raises UserError."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Experiment, as_positional=False)
    try:
        return Experiment(**parser.instantiate(parser.parse_object(settings)))
    except ArgumentError as error:
        raise UserError(f"settings of {where}: {error}") from None
