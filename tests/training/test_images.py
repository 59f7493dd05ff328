import cv2
import numpy as np

from tfrespam.training.tensorboard.images import (
    FALSE_ALARM,
    MISSED,
    PREDICTION,
    TRUTH,
    case_image,
    contours,
    error_map,
    loss_curve,
)


def test_contours_follow_the_outline_of_their_masks():
    image = np.linspace(0.2, 0.6, 900, dtype=np.float32).reshape(30, 30)
    truth, found = np.zeros((30, 30), bool), np.zeros((30, 30), bool)
    truth[5:15, 5:15] = found[18:26, 18:26] = True
    picture = contours(image, truth, found)
    assert picture.shape == (30, 90, 3) and picture.dtype == np.uint8
    plain, second, third = np.split(picture, 3, axis=1)
    assert (plain == plain[..., :1]).all() and plain.min() == 0 and plain.max() == 255
    rims = [mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) == 0) for mask in (truth, found)]
    np.testing.assert_array_equal((second == TRUTH).all(-1), rims[0])
    np.testing.assert_array_equal((third == TRUTH).all(-1), rims[0])
    np.testing.assert_array_equal((third == PREDICTION).all(-1), rims[1])


def test_empty_prediction_and_constant_image_can_be_drawn():
    picture = contours(np.full((8, 8), 0.5, np.float32), np.zeros((8, 8), bool), np.zeros((8, 8), bool))
    assert (picture == picture[..., :1]).all()


def test_loss_curve_plots_the_logged_values(tmp_path):
    history = [{"epoch": epoch, "loss": 1 / epoch, "dice": 1 - 1 / epoch, "val_loss": 0.5} for epoch in (1, 2, 3)]
    loss_curve(history, tmp_path / "curve.png", "title")
    picture = cv2.imread(str(tmp_path / "curve.png"))
    assert picture.shape == (384, 960, 3) and picture.std() > 5
    loss_curve([{"epoch": 1, "loss": 1.0, "dice": 0.1}], tmp_path / "one.png", "title")
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_errors_are_coloured_and_small_images_enlarged():
    truth, found = np.zeros((32, 32), bool), np.zeros((32, 32), bool)
    truth[4:12], found[8:16] = True, True
    image = np.random.default_rng(0).random((32, 32))
    errors = error_map(image, truth, found)
    np.testing.assert_array_equal((errors == MISSED).all(-1), truth & ~found)
    np.testing.assert_array_equal((errors == FALSE_ALARM).all(-1), found & ~truth)
    picture = case_image(image, truth, found)
    assert picture.shape == (160, 4 * 160, 3)
    np.testing.assert_array_equal(picture[2::5, 3 * 160 + 2 :: 5], errors)
    assert case_image(np.zeros((300, 300)), np.zeros((300, 300), bool), np.zeros((300, 300), bool)).shape[0] == 300
