import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from served_ops import ALLOWED, check_ops
from small_model import SIZE, small_model

from tfrespam.serving.graph import signatures as signatures_module
from tfrespam.serving.graph.film_scan import segment
from tfrespam.serving.graph.signatures import SIGNATURES, export_archive

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (SIZE, SIZE)).astype(np.uint16)
WIDE = RANDOM.integers(0, 256, (20, 50)).astype(np.uint8)
TALL = RANDOM.integers(0, 65536, (70, 33)).astype(np.uint16)
LIMIT = 3000
SHARES = 0.4, 1.0


@pytest.fixture(scope="module")
def model():
    return small_model(side_output=True)


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    export_archive(model, path, SIZE, threshold=0.4, tile_shares=SHARES, film_threshold=0.6, max_pixels=LIMIT)
    return path


@pytest.fixture(scope="module")
def signatures(path):
    loaded = tf.saved_model.load(path)  # the signatures hold no reference to what they belong to
    yield loaded.signatures


def test_each_signature_is_traced_once(model, tmp_path, monkeypatch):
    traced, exported = [], signatures_module._Graph
    for name in SIGNATURES:
        function = getattr(exported, name)
        monkeypatch.setattr(exported, name, lambda self, data, name=name, function=function:
                            traced.append(name) or function(self, data))  # fmt: skip
    export_archive(model, tmp_path, SIZE)
    assert traced == list(SIGNATURES)


def encode(picture: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def read(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def as_image(picture: np.ndarray) -> np.ndarray:
    return (picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max))[None, :, :, None]


def test_names_types_and_shapes_match_the_documentation(signatures):
    assert set(signatures) == set(SIGNATURES) == {"serving_default", "predict_bytes", "predict_film"}
    for name, described in SIGNATURES.items():
        assert set(signatures[name].structured_input_signature[1]) == set(described["inputs"])
        assert set(signatures[name].structured_outputs) == set(described["outputs"])
    image = signatures["serving_default"].structured_input_signature[1]["image"]
    assert image.dtype == tf.float32 and image.shape.as_list() == [None, None, None, 1]
    data = signatures["predict_bytes"].structured_input_signature[1]["image_bytes"]
    assert data.dtype == tf.string and data.shape.as_list() == [None]


def test_serving_default_matches_model_predict(signatures, model):
    images = RANDOM.random((5, SIZE, SIZE, 1), np.float32)
    served = signatures["serving_default"](image=images)["probability"]
    np.testing.assert_allclose(served, model.predict(images, verbose=0)["probability"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(20, 50), (70, 33), (5, 16)])
def test_serving_default_accepts_and_returns_any_size(signatures, model, shape):
    images = RANDOM.random((3, *shape, 1), np.float32)
    small = tf.image.resize(images, (SIZE, SIZE), antialias=True)
    expected = tf.image.resize(model.predict(small, verbose=0)["probability"], shape, antialias=True)
    served = signatures["serving_default"](image=images)["probability"]
    assert served.shape == images.shape
    np.testing.assert_allclose(served, expected, atol=1e-4)


def test_predict_bytes_returns_each_image_at_its_own_size(signatures):
    pictures = [DEEP, WIDE, TALL]
    data = [encode(DEEP), encode(cv2.merge([WIDE] * 3)), encode(TALL)]
    answer = signatures["predict_bytes"](image_bytes=tf.constant(data))
    for number, picture in enumerate(pictures):
        expected = signatures["serving_default"](image=as_image(picture))["probability"].numpy()[0, :, :, 0]
        probability = read(answer["probability_png_bytes"].numpy()[number])
        mask = read(answer["mask_png_bytes"].numpy()[number])
        assert probability.dtype == np.uint16 and mask.dtype == np.uint8
        assert probability.shape == mask.shape == picture.shape
        np.testing.assert_allclose(probability / 65535, expected, atol=1e-5)
        clear = np.abs(expected - 0.4) > 1e-5
        np.testing.assert_array_equal(mask[clear], np.where(expected[clear] >= 0.4, 255, 0))
        assert answer["tumour_fraction"].numpy()[number] == pytest.approx(np.mean(mask == 255), abs=1e-6)
        assert 0 < np.mean(mask == 255) < 1


def test_predict_bytes_gives_the_same_result_for_jpeg_and_its_pixels(signatures):
    data = encode(WIDE, ".jpg")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    from_jpeg, from_png = signatures["predict_bytes"](image_bytes=tf.constant([data, encode(pixels)]))[
        "probability_png_bytes"
    ].numpy()
    np.testing.assert_allclose(read(from_jpeg) / 65535, read(from_png) / 65535, atol=0.03)


def test_results_do_not_depend_on_other_images_of_the_batch(signatures):
    alone = signatures["predict_bytes"](image_bytes=tf.constant([encode(TALL)]))
    among = signatures["predict_bytes"](image_bytes=tf.constant([encode(WIDE), encode(TALL), encode(DEEP)]))
    assert alone["mask_png_bytes"].numpy()[0] == among["mask_png_bytes"].numpy()[1]


def test_bad_images_are_reported_by_position(signatures):
    good = encode(WIDE)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1 3\] not a readable PNG or JPEG"):
        signatures["predict_bytes"](image_bytes=tf.constant([good, good[:100], good, b"", good]))


@pytest.mark.parametrize("name", ["predict_bytes", "predict_film"])
def test_an_empty_batch_gives_an_empty_result_or_an_error(signatures, name):
    """oneDNN's fused convolutions give an empty batch a wrong shape, which the next op refuses."""
    try:
        answer = signatures[name](image_bytes=tf.constant([], tf.string))
        assert {each.shape.as_list()[0] for each in answer.values()} == {0}
    except tf.errors.InvalidArgumentError:
        pass


def film(height: int, width: int) -> np.ndarray:
    """Draw a breast at the left edge: noise on a dark background."""
    picture = np.zeros((height, width), np.uint16)
    area = height // 4, 3 * height // 4, 2 * width // 3
    picture[area[0] : area[1], : area[2]] = RANDOM.integers(20000, 60000, (area[1] - area[0], area[2]))
    return picture


def test_predict_film_scans_each_film_at_its_own_size(signatures, model):
    films = [film(60, 40), film(30, 50)]
    answer = signatures["predict_film"](image_bytes=tf.constant([encode(each) for each in films]))
    for number, each in enumerate(films):
        network = lambda tile: model(tile, training=False)["probability"]  # noqa: E731
        expected = segment(network, tf.constant(as_image(each)[0]), SIZE, SHARES, False).numpy()[..., 0]
        probability = read(answer["probability_png_bytes"].numpy()[number])
        mask = read(answer["mask_png_bytes"].numpy()[number])
        assert probability.shape == mask.shape == each.shape and probability.any()
        np.testing.assert_allclose(probability / 65535, expected, atol=1e-4)
        clear = np.abs(probability / 65535 - 0.6) > 1e-4
        np.testing.assert_array_equal(mask[clear], np.where(probability[clear] >= 0.6 * 65535, 255, 0))
        assert answer["tumour_fraction"].numpy()[number] == pytest.approx(np.mean(mask == 255), abs=1e-6)
        assert not probability[:, -2:].any()  # background


def test_predict_film_reports_bad_films_before_inference(signatures):
    large = encode(np.zeros((LIMIT // 50 + 1, 50), np.uint8))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[0 2\] not a readable PNG or JPEG"):
        signatures["predict_film"](image_bytes=tf.constant([b"", encode(WIDE), b"GIF89a"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1\] larger than the limit"):
        signatures["predict_film"](image_bytes=tf.constant([encode(WIDE), large]))


def test_a_film_network_gets_the_whole_breast_without_the_label(tmp_path):
    echo = keras.Sequential([keras.Input((SIZE, SIZE, 1), name="image"), keras.layers.Identity()])
    export_archive(echo, tmp_path, SIZE, keep_aspect=True)
    labelled = film(64, 64)
    labelled[2:6, 50:60] = 65535
    loaded = tf.saved_model.load(tmp_path)
    answer = loaded.signatures["predict_film"](image_bytes=tf.constant([encode(labelled)]))["probability_png_bytes"]
    shown = read(answer.numpy()[0])
    assert shown[:, 50:].max() == 0 and 20000 < shown[20:44, 5:40].mean() < 60000


def test_too_large_images_are_rejected_by_their_header(signatures):
    large = encode(np.zeros((LIMIT // 50 + 1, 50), np.uint8))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1\] larger than the limit of 3000 pixels"):
        signatures["predict_bytes"](image_bytes=tf.constant([encode(WIDE), large]))


def test_the_graph_contains_only_allowed_operations(path):
    check_ops(path, ALLOWED)


def test_a_model_with_one_output_and_half_precision_serves_float32(tmp_path):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        half = small_model()
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert half.layers[1].compute_dtype == "float16"
    export_archive(half, tmp_path, SIZE)
    images = RANDOM.random((2, SIZE, SIZE, 1), np.float32)
    served = tf.saved_model.load(tmp_path).signatures["serving_default"](image=tf.constant(images))["probability"]
    assert served.dtype == tf.float32
    np.testing.assert_allclose(served, half.predict(images, verbose=0), rtol=0, atol=1e-6)


def test_keep_aspect_pads_to_a_square_and_crops_the_result(model, tmp_path):
    export_archive(model, tmp_path, SIZE, keep_aspect=True)
    loaded = tf.saved_model.load(tmp_path)
    image = RANDOM.random((1, 12, SIZE, 1), np.float32)
    squared = np.pad(image, [(0, 0), (2, 2), (0, 0), (0, 0)])
    expected = model.predict(squared, verbose=0)["probability"][:, 2:-2]
    served = loaded.signatures["serving_default"](image=tf.constant(image))["probability"]
    np.testing.assert_allclose(served, expected, atol=1e-6)
    data = encode((image[0] * 65535).astype(np.uint16))
    answer = loaded.signatures["predict_bytes"](image_bytes=tf.constant([data]))["probability_png_bytes"].numpy()
    np.testing.assert_allclose(read(answer[0]) / 65535, expected[0, :, :, 0], atol=1e-3)
