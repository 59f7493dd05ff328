"""Learning-rate schedule and optimizer of an experiment."""

import keras

from tfrespam.config import TrainingConfig


def learning_rate(config: TrainingConfig, steps_per_epoch: int):
    """Create the learning rate: a float, or a schedule of linear warm-up from 0, then constant or cosine decay to 0."""
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "constant" and not warmup:
        return config.learning_rate
    total = config.epochs * steps_per_epoch
    if config.schedule == "constant":  # cosine decay with alpha=1 is constant after the warm-up
        return keras.optimizers.schedules.CosineDecay(0.0, total, alpha=1.0, warmup_target=config.learning_rate,
                                                      warmup_steps=warmup)  # fmt: skip
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, total)
    return keras.optimizers.schedules.CosineDecay(0.0, max(total - warmup, 1), warmup_target=config.learning_rate,
                                                  warmup_steps=warmup)  # fmt: skip


def optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Create Adam, AdamW or SGD with the experiment's schedule, momentum and gradient clipping."""
    options = {"global_clipnorm": config.clip_norm or None}
    rate = learning_rate(config, steps_per_epoch)
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=config.momentum, **options)
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, beta_1=config.momentum, weight_decay=config.weight_decay, **options)
    return keras.optimizers.Adam(rate, beta_1=config.momentum, **options)


def build_once(model: keras.Model) -> None:
    """Create the variables of a compiled model's optimizer unless they exist.

    `LossScaleOptimizer.build` adds its variables again when it is called again, which resets the loss scale.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer that counts steps, clips and updates, without the loss-scaling wrapper of mixed_float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)
