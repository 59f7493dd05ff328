import numpy as np
import pytest
import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.data import augment, crop, recrop

SIZE, CONTEXT, FACTOR = 64, 1.6, 1.5
WIDE = round(SIZE * FACTOR)
REACH = (SIZE - SIZE / CONTEXT) / 4


def blob(seed, centre=(0, 0), stretch=0.6):
    """A mass (WIDE, WIDE) bool whose longest box side is that of the policy, and a picture of its depth."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, np.pi), SIZE / CONTEXT / 2
    y, x = np.mgrid[:WIDE, :WIDE] - (WIDE - 1) / 2
    y, x = y - centre[0], x - centre[1]
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    scale = np.sqrt(max(np.cos(angle) ** 2 + (stretch * np.sin(angle)) ** 2,
                        np.sin(angle) ** 2 + (stretch * np.cos(angle)) ** 2))  # fmt: skip
    depth = 1 - (along * scale / radius) ** 2 - (across * scale / radius / stretch) ** 2
    return depth > 0, np.clip(0.5 + 0.4 * depth, 0, 1).astype(np.float32)


def transforms(count, **settings):
    config = AugmentConfig(**{"rotation_degrees": 180.0, "recrop": FACTOR} | settings)
    drawn = [augment.draw(config, tf.constant([5, number])) for number in range(count)]
    return augment.Transform(*(tf.stack([tf.convert_to_tensor(value) for value in field])
                               for field in zip(*drawn, strict=True)))  # fmt: skip


def cut(masks, images, drawn):
    made = recrop.cut(drawn, tf.constant(np.stack(images))[..., None],
                      tf.constant(np.stack(masks).astype(np.float32))[..., None], CONTEXT, FACTOR)  # fmt: skip
    return [part.numpy()[..., 0] for part in made]


def test_every_crop_keeps_the_policy_whatever_the_turn():
    masks, images = zip(*(blob(seed, centre=(seed % 7 - 3, seed % 5 - 2)) for seed in range(24)), strict=True)
    drawn = transforms(24)
    _, found = cut(masks, images, drawn)
    assert found.shape == (24, SIZE, SIZE) and set(np.unique(found)) == {0, 1}
    for mask, down, right in zip(found, drawn.down.numpy(), drawn.right.numpy(), strict=True):
        y0, x0, y1, x1 = crop.bounding_box(mask > 0)
        assert max(y1 - y0, x1 - x0) == pytest.approx(SIZE / CONTEXT, abs=1.6)
        assert (y0 + y1 - SIZE) / 2 == pytest.approx(down * REACH, abs=1.1)
        assert (x0 + x1 - SIZE) / 2 == pytest.approx(right * REACH, abs=1.1)
    assert np.abs(drawn.down.numpy()).max() > 0.5  # the whole of the policy's reach is used


def test_image_and_mask_move_together():
    masks, images = zip(*(blob(seed) for seed in range(8)), strict=True)
    image, mask = cut(masks, images, transforms(8))
    rim = np.abs(image - 0.5) < 0.04  # the picture is 0.5 on the mass's outline
    np.testing.assert_array_equal((image > 0.5)[~rim], (mask > 0)[~rim])


def test_without_a_turn_it_is_the_middle_of_the_stored_crop():
    mask, image = blob(3)
    still = transforms(1, rotation_degrees=0.0, flips=False)._replace(down=tf.zeros(1), right=tf.zeros(1))
    found, _ = cut([mask], [image], still)
    y0, x0, y1, x1 = crop.bounding_box(mask)
    assert max(y1 - y0, x1 - x0) == pytest.approx(SIZE / CONTEXT, abs=1)
    margin = (WIDE - SIZE) // 2
    np.testing.assert_allclose(found[0], image[margin:-margin, margin:-margin], atol=0.03)


def test_another_mass_is_carried_along_but_does_not_count():
    mask, image = blob(1)
    both = mask.copy()
    both[2:6, 2:6] = True
    drawn = transforms(1)
    alone, together = cut([mask], [image], drawn)[1], cut([both], [image], drawn)[1]
    assert (together >= alone).all() and (together[alone > 0] == 1).all()
    assert crop.bounding_box(alone[0] > 0) == crop.bounding_box((together[0] > 0) & (alone[0] > 0))


def test_an_empty_mask_is_no_harm():
    image, mask = cut([np.zeros((WIDE, WIDE), bool)], [np.full((WIDE, WIDE), 0.3, np.float32)], transforms(1))
    np.testing.assert_allclose(image, 0.3, atol=1e-6)
    assert not mask.any()
