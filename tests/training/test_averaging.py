import keras
import numpy as np
import pytest

from tfrespam.training.averaging import ValidateAverage, averaged_weights


def fitted(momentum=None, steps=7, callbacks=(), wrap=False):
    keras.utils.set_random_seed(1)
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.BatchNormalization()(image)))
    options = {"use_ema": True, "ema_momentum": momentum} if momentum else {}
    optimizer = keras.optimizers.Adam(0.1, **options)
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer) if wrap else optimizer, "mse", run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(8 * steps, 4)).astype(np.float32)
    history = model.fit(x, x[:, :1], batch_size=8, shuffle=False, verbose=0, callbacks=list(callbacks),
                        validation_data=(x, x[:, :1]))  # fmt: skip
    return model, history.history, x


class Weights(keras.callbacks.Callback):
    """The trainable weights after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([variable.numpy() for variable in self.model.trainable_variables])


@pytest.mark.parametrize("wrap", [False, True])
def test_inside_the_block_the_weights_are_their_running_average(wrap):
    steps = Weights()

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with averaged_weights(self.model):
                self.seen = [variable.numpy() for variable in self.model.trainable_variables]

    look = Look()
    fitted(0.9, callbacks=[steps, look], wrap=wrap)
    average = steps.seen[0]
    for weights in steps.seen[1:]:
        average = [0.9 * old + 0.1 * new for old, new in zip(average, weights, strict=True)]
    for found, expected in zip(look.seen, average, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_behind_the_block_the_bits_are_the_same_also_after_an_error():
    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            before = [variable.numpy() for variable in self.model.trainable_variables]
            with pytest.raises(RuntimeError), averaged_weights(self.model):
                inside = [variable.numpy() for variable in self.model.trainable_variables]
                raise RuntimeError
            after = [variable.numpy() for variable in self.model.trainable_variables]
            self.same = all(one.tobytes() == other.tobytes() for one, other in zip(before, after, strict=True))
            self.differed = any((one != other).any() for one, other in zip(before, inside, strict=True))

    look = Look()
    fitted(0.9, callbacks=[look])
    assert look.same and look.differed


def test_without_averaging_nothing_is_touched():
    model, _, _ = fitted()
    before = model.get_weights()
    with averaged_weights(model):
        for found, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_validation_is_that_of_the_average():
    model, history, x = fitted(0.9, callbacks=[ValidateAverage()])  # fit ends with the average in place
    expected = np.mean((model.predict(x, verbose=0) - x[:, :1]) ** 2)
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
    _, plain, _ = fitted(0.9)
    assert plain["val_loss"][-1] != pytest.approx(expected, rel=1e-3)
