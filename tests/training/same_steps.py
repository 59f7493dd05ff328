"""Train one epoch without tf.data from given weights, on any Keras backend: python same_steps.py ..."""

import sys
from pathlib import Path


def steps(config: Path, data: Path, weights: Path, output: Path) -> None:
    """Write probabilities and scores of the validation examples before and after an epoch to `output`.

    If `weights` is missing, it is written with this backend's random initial weights.
    """
    import numpy as np

    from tfrespam.data.loading import packed, protocols
    from tfrespam.studies.comparison.one_training import experiment_of
    from tfrespam.training.accelerator import in_memory_evaluation, run
    from tfrespam.training.accelerator.learner import floating_weights, host_copy
    from tfrespam.training.accelerator.loop import Loop, Rows

    experiment, known = experiment_of(config), packed.read(data)
    settings = experiment.data
    parts = protocols.splits(known.table, settings.protocol, settings.fold, experiment.seed)
    train, validation = (Rows(known.image_index[parts[name]], known.transforms[parts[name]])
                         for name in ("train", "validation"))  # fmt: skip
    learner = run.compiled(experiment, known, len(train.image_index) // experiment.training.batch_size)
    if weights.exists():
        with np.load(weights) as given:
            learner.network.set_weights([given[f"arr_{n}"] for n in range(len(given.files))])
        for average, weight in zip(learner.average, floating_weights(learner.network), strict=True):
            average.assign(host_copy(weight))
    else:
        np.savez(weights, *learner.network.get_weights())
    augment = None if settings.protocol == "paper" else experiment.augment
    folder = output.parent / f"{output.stem}-state"
    loop = Loop(learner, train, validation, augment, experiment, folder, lambda line: None)
    before = np.stack([answer for _, answer in in_memory_evaluation.predictions(learner, validation)])
    scores_before = loop._validate()
    loop._epoch(1)
    with loop.averaged():
        after = np.stack([answer for _, answer in in_memory_evaluation.predictions(learner, validation)])
    masks = np.stack([mask for mask, _ in in_memory_evaluation.predictions(learner, validation)])
    names = ("val_loss", "val_dice", "val_iou", "val_miou")
    np.savez(output, before=before, after=after, masks=masks, scores=[scores_before[name] for name in names],
             scores_after=[loop.history[0][name] for name in names], loss=loop.history[0]["loss"])  # fmt: skip


if __name__ == "__main__":
    steps(*map(Path, sys.argv[1:]))
