"""Command line of `tune`: search settings of an experiment with KerasTuner."""

from typing import Literal

from tfrespam import cli

MEMBERS = ("width", "reduction", "fusion", "loss_weight", "learning_rate", "augmentation")


def tune(
    experiment: str,
    method: Literal["random", "hyperband", "bayesian"] = "random",
    trials: int = 12,
    epochs: int | None = None,
    search: tuple[str, ...] = MEMBERS,
    split: str = "inner",
    output: str | None = None,
    apply: str | None = None,
    data_dir: str | None = None,
    seed: int | None = None,
) -> None:
    """Search better settings for an experiment; the same command resumes a killed search.

    Trials are evaluated on a fifth of the experiment's training patients, never on its validation and test split.
    Several processes can share a search with KERASTUNER_TUNER_ID ("chief", and another name for each worker),
    KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT.

    Args:
        experiment: YAML file of the original experiment, as for `train`.
        method: "random", "hyperband" (many short trainings, the better ones longer) or "bayesian".
        trials: Number of trials of random and bayesian search; hyperband computes its own.
        epochs: Epochs of a trial (default: the experiment's).
        search: Settings to search: width, reduction, fusion (variant of PAM), loss_weight (of Dice relative to
            cross-entropy), learning_rate, augmentation (its strength).
        split: Patients on which trials are evaluated; only "inner" does not bias the scores of the experiment.
        output: Folder of the search (default: runs/tune/<experiment>-<method>).
        apply: YAML file to write with the best settings, for `train --config`; those of the experiment if no trial is
            better. Its number of epochs is that of the experiment, not of the trials.
        data_dir: Folder of all prepared data sets (default: the experiment's).
        seed: Seed of the search and of its trainings (default: the experiment's).
    """
    from tfrespam.workflows import tuning

    tuning.tune(experiment=experiment, method=method, trials=trials, epochs=epochs, search=search, split=split,
                output=output, apply=apply, data_dir=data_dir, seed=seed)  # fmt: skip


def main() -> None:
    cli.run(tune)


if __name__ == "__main__":
    main()
