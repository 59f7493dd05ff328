import numpy as np
from packed_runs import learner_of, packed_for

from tfrespam.training.accelerator.loop import Loop


def test_weight_average_equals_that_of_keras_training(experiment, tmp_path):
    from tfrespam.training.averaging import WeightAverage

    known = packed_for(experiment, tmp_path)
    learner, train, validation = learner_of(experiment, known)
    usual = WeightAverage(experiment.training.ema)
    usual.set_model(learner)  # which finds the network inside
    loop = Loop(learner, train, validation, experiment.augment, experiment, tmp_path / "state", lambda line: None)
    drawn = loop._epoch_examples(0)
    batch = experiment.training.batch_size
    usual.on_epoch_begin(0)
    for step in range(len(drawn["image_index"]) // batch):
        part = {name: values[step * batch : (step + 1) * batch] for name, values in drawn.items()}
        learner.fit(part, np.zeros(batch), batch_size=batch, shuffle=False, verbose=0)
        usual.on_train_batch_end(step)
    for found, expected in zip(learner.final_average(), usual.average, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
