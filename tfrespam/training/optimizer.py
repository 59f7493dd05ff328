"""Learning-rate schedule and optimizer of an experiment."""

import keras

from tfrespam.config import TrainingConfig


def learning_rate(config: TrainingConfig, steps_per_epoch: int):
    """A float, or a schedule: linear warm-up from zero, then constant or a cosine that ends at zero."""
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "constant" and not warmup:
        return config.learning_rate
    total = config.epochs * steps_per_epoch
    if config.schedule == "constant":  # a cosine that never leaves its top
        return keras.optimizers.schedules.CosineDecay(0.0, total, alpha=1.0, warmup_target=config.learning_rate,
                                                      warmup_steps=warmup)  # fmt: skip
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, total)
    return keras.optimizers.schedules.CosineDecay(0.0, max(total - warmup, 1), warmup_target=config.learning_rate,
                                                  warmup_steps=warmup)  # fmt: skip


def optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Adam, AdamW or SGD with the experiment's schedule, momentum and clipping."""
    options = {"global_clipnorm": config.clip_norm or None}
    rate = learning_rate(config, steps_per_epoch)
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=config.momentum, **options)
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, beta_1=config.momentum, weight_decay=config.weight_decay, **options)
    return keras.optimizers.Adam(rate, beta_1=config.momentum, **options)


def inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that counts steps, clips and updates: under mixed_float16 Keras wraps one that scales losses."""
    return getattr(optimizer, "inner_optimizer", optimizer)
