"""Norm of the gradients, measured inside the training step."""

import keras
from keras import ops

from tfrespam.training.optimizer import inner


class GradientNorms:
    """Measure the mean and the largest global norm of the gradients since `reset`, before clipping.

    The training step itself is unchanged.

    Args:
        optimizer: Optimizer of a compiled model, before the first step is traced.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer):
        optimizer = inner(optimizer)  # the wrapper of mixed_float16 receives scaled gradients
        self._total, self._largest, self._steps = (
            keras.Variable(0.0, trainable=False, dtype="float32", aggregation=kind, name=f"gradient_norm_{name}")
            for name, kind in (("total", "mean"), ("largest", "mean"), ("steps", "mean")))
        apply = optimizer.apply

        def measured(grads, trainable_variables=None):
            self._add(grads)
            return apply(grads, trainable_variables)

        optimizer.apply = measured

    def _add(self, grads) -> None:
        squares = [ops.sum(ops.square(ops.cast(_dense(grad), "float32"))) for grad in grads if grad is not None]
        norm = ops.sqrt(sum(squares))
        self._total.assign_add(norm)
        self._largest.assign(ops.maximum(self._largest, norm))
        self._steps.assign_add(1.0)

    def reset(self) -> None:
        for variable in (self._total, self._largest, self._steps):
            variable.assign(0.0)

    def result(self) -> dict[str, float]:
        """Return gradient_norm and gradient_norm_max; {} before the first step."""
        steps = float(self._steps.numpy())
        if not steps:
            return {}
        return {"gradient_norm": float(self._total.numpy()) / steps, "gradient_norm_max": float(self._largest.numpy())}


def _dense(grad):
    return getattr(grad, "values", grad)  # an embedding's gradient contains only the rows that were looked up
