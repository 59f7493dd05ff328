from types import SimpleNamespace

import numpy as np

from tfrespam.training.accelerator.in_memory_evaluation import predictions
from tfrespam.training.objectives.side_outputs import MAIN


def learner(asked):
    def predict(inputs):
        asked.append(len(inputs["image_index"]))
        masks = inputs["image_index"][:, None, None, None] % 2 * np.ones((1, 4, 4, 1))
        return {"mask": masks, MAIN: np.full((len(masks), 4, 4, 1), 0.25) + inputs["transform"][:, None, None, None]}

    return SimpleNamespace(predict_on_batch=predict, masks=lambda inputs: predict(inputs)["mask"])


def test_each_row_is_predicted_once_in_order():
    asked, count = [], 40
    rows = SimpleNamespace(image_index=np.arange(count), transform=np.linspace(0, 0.5, count))
    found = list(predictions(learner(asked), rows))
    assert asked == [32, 8] and len(found) == count
    for number, (mask, probability) in enumerate(found):
        assert mask.dtype == bool and mask.all() == mask.any() == bool(number % 2)
        np.testing.assert_allclose(probability, 0.25 + rows.transform[number], rtol=1e-6)


def test_masks_only_needs_no_prediction():
    rows = SimpleNamespace(image_index=np.array([0, 1]), transform=np.zeros(2))
    for mask, probability in predictions(learner([]), rows, masks_only=True):
        np.testing.assert_array_equal(mask, probability)
