import keras
import numpy as np
import pytest

from tfrespam.training.averaging import WeightAverage

X = np.random.default_rng(0).normal(size=(56, 4)).astype(np.float32)


def built():
    keras.utils.set_random_seed(1)
    image = keras.Input((4,))
    return keras.Model(image, keras.layers.Dense(1)(keras.layers.BatchNormalization()(image)))


def fitted(average, callbacks=(), *, wrap=False, epochs=1, **options):
    model = built()
    optimizer = keras.optimizers.Adam(0.1)
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer) if wrap else optimizer, "mse", **options)
    history = model.fit(X, X[:, :1], batch_size=8, shuffle=False, verbose=0, epochs=epochs,
                        validation_data=(X, X[:, :1]), callbacks=[average, *callbacks])  # fmt: skip
    return model, history.history


class Weights(keras.callbacks.Callback):
    """Record all weights after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights())


class Look(keras.callbacks.Callback):
    """Return the weights before, inside and after a block that ends with an error."""

    def __init__(self, average):
        super().__init__()
        self.average = average

    def on_epoch_end(self, epoch, logs=None):
        self.before = self.model.get_weights()
        with pytest.raises(RuntimeError), self.average.in_place():
            self.inside = self.model.get_weights()
            raise RuntimeError
        self.behind = self.model.get_weights()


@pytest.mark.parametrize("wrap", [False, True])
def test_average_covers_all_weights_with_a_rising_momentum(wrap):
    steps, average = Weights(), WeightAverage(0.5)
    model, _ = fitted(average, [steps], wrap=wrap, epochs=2, run_eagerly=True)
    expected = built().get_weights()
    for number, weights in enumerate(steps.seen, 1):
        m = min(0.5, (1 + number) / (10 + number))
        expected = [m * old + (1 - m) * new for old, new in zip(expected, weights, strict=True)]
    assert len(steps.seen) == 14 and len(expected) == 6  # includes the moving statistics
    for found, value in zip(model.get_weights(), expected, strict=True):  # fit ends with the average in place
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_weights_are_restored_exactly_after_the_block():
    average = WeightAverage(0.9)
    look = Look(average)
    fitted(average, [look])
    assert all(one.tobytes() == other.tobytes() for one, other in zip(look.before, look.behind, strict=True))
    assert all((one != other).any() for one, other in zip(look.before, look.inside, strict=True))


def test_without_averaging_nothing_changes(tmp_path):
    average = WeightAverage(0.0)
    look = Look(average)
    model, _ = fitted(average, [look])
    for before, inside, after in zip(look.before, look.inside, model.get_weights(), strict=True):
        assert before.tobytes() == inside.tobytes() == after.tobytes()
    average.save(tmp_path)
    assert not list(tmp_path.iterdir())
    average.restore(tmp_path)


def test_validation_uses_the_average():
    model, history = fitted(WeightAverage(0.9))
    expected = np.mean((model.predict(X, verbose=0) - X[:, :1]) ** 2)
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
    _, plain = fitted(WeightAverage(0.0))
    assert plain["val_loss"][-1] != pytest.approx(expected, rel=1e-3)


def test_several_steps_in_one_call_are_counted():
    average = WeightAverage(0.9)
    fitted(average, steps_per_execution=7)
    assert average.steps == 7


def test_a_saved_average_is_resumed(tmp_path):
    average = WeightAverage(0.9)
    model, _ = fitted(average)
    average.save(tmp_path)
    other = WeightAverage(0.9)
    other.set_model(model)
    other.restore(tmp_path)
    assert other.steps == average.steps == 7
    for found, expected in zip(other.average, average.average, strict=True):
        np.testing.assert_array_equal(found, expected)
