import numpy as np
import tensorflow as tf
import tiny

from tfrespam.training.averaging import WeightAverage
from tfrespam.training.tensorboard.callbacks import FOLDER, ScalarBoard, board
from tfrespam.training.tensorboard.curves import ValidationCurves
from tfrespam.training.tensorboard.images import CaseImages
from tfrespam.training.tensorboard.notes import RunNotes


def callbacks(tmp_path, **settings):
    images = np.random.default_rng(0).random((3, tiny.SIZE, tiny.SIZE, 1)).astype(np.float32)
    validation = tf.data.Dataset.from_tensor_slices((images, images > 0.5)).batch(2)
    experiment = tiny.experiment(tmp_path, tmp_path, **settings)
    return board(experiment, None, {"validation": np.ones(3, bool)}, validation, WeightAverage(0.0), tmp_path)


def test_image_and_curve_callbacks_follow_the_settings(tmp_path):
    assert [type(each) for each in callbacks(tmp_path)] == [ScalarBoard, RunNotes]
    both = {"training__tensorboard_images": 1, "training__tensorboard_curves": 2}
    assert [type(each) for each in callbacks(tmp_path, **both)] == [ScalarBoard, RunNotes, CaseImages,
                                                                    ValidationCurves]  # fmt: skip
    assert (tmp_path / FOLDER / "images").is_dir()


def test_gradients_are_measured_only_on_one_device(tmp_path):
    assert callbacks(tmp_path, training__tensorboard_gradients=True)[0].gradients
    assert not callbacks(tmp_path, training__tensorboard_gradients=True, strategy="mirrored")[0].gradients
