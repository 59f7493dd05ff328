"""The running average of the weights (Polyak averaging), looked at without disturbing training."""

import contextlib
from collections.abc import Iterator

import keras


def _optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)  # mixed_float16 wraps it


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """`model` holds the average of its weights inside the block, and exactly its own again behind it.

    Keras' SwapEMAWeights swaps by adding and subtracting, which changes the last bits: a resumed run would drift away
    from an undisturbed one.
    """
    optimizer = _optimizer(model)
    if not optimizer.use_ema:
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    for variable, average in zip(model.trainable_variables, optimizer._model_variables_moving_average, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


class ValidateAverage(keras.callbacks.Callback):
    """Runs every validation pass of `fit` on the averaged weights."""

    def on_test_begin(self, logs=None):
        self._block = averaged_weights(self.model)
        self._block.__enter__()

    def on_test_end(self, logs=None):
        self._block.__exit__(None, None, None)
