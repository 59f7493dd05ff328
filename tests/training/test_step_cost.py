import numpy as np
import pytest
import tiny

from tfrespam.training.fit import compiled
from tfrespam.training.step_cost import measure


@pytest.mark.parametrize("settings", [
    {}, {"training__optimizer": "sgd"}, {"model__options": {"side_outputs": True}}, {"model__name": "tiny_rival"},
])  # fmt: skip
def test_measuring_does_not_change_the_model(tmp_path, settings, switches):
    """Weights, optimizer, random states and two further steps equal those of a model that was not measured."""
    ends = []
    for measured in (False, True):
        import keras

        keras.utils.set_random_seed(0)
        experiment = tiny.experiment(tmp_path, tmp_path, **settings)
        model = compiled(experiment, 5)
        if measured:
            cost = measure(model, (tiny.SIZE, tiny.SIZE, 1), 3)
            assert 0 < cost.seconds < 60 and cost.memory > 100_000_000
            assert model.optimizer.iterations.numpy() == 0
        random = np.random.default_rng(0)
        images, masks = random.random((3, tiny.SIZE, tiny.SIZE, 1), np.float32), np.ones((3, tiny.SIZE, tiny.SIZE, 1))
        logs = [model.train_on_batch(images, masks, return_dict=True) for _ in range(2)]
        ends.append((logs, [np.array(weight) for weight in model.variables]))
    for name, value in ends[0][0][1].items():
        assert ends[1][0][1][name] == pytest.approx(value, rel=1e-6), name
    for first, second in zip(ends[0][1], ends[1][1], strict=True):
        np.testing.assert_allclose(second, first, rtol=1e-6, atol=1e-7)


def test_disk_estimate_covers_the_files_of_a_run(trained, tmp_path):
    """Upper estimate of run folder and export, with two checkpoints; small networks need more than their weights."""
    experiment, folder = trained
    model = compiled(experiment, 5)
    cost = measure(model, (tiny.SIZE, tiny.SIZE, 1), 3)
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    assert 4 * parameters * 9 <= cost.disk <= 4 * parameters * 16  # 3 files, twice weights, average, 2 of Adam
