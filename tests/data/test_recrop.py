import numpy as np
import pytest
import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.data.geometry import crop
from tfrespam.data.loading import augment, recrop

SIZE, CONTEXT, FACTOR = 64, 1.6, 1.5
WIDE = round(SIZE * FACTOR)
REACH = (SIZE - SIZE / CONTEXT) / 4


def blob(seed, centre=(0, 0), stretch=0.6):
    """Return a mass (WIDE, WIDE), bool, with the box side of the crop policy, and an image of its depth."""
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
    """Draw poses with the random streams of `draw`."""
    config = AugmentConfig(**{"rotation_degrees": 180.0, "recrop": FACTOR} | settings)
    change, seeds = augment.build(config), tf.constant([[5, number] for number in range(count)], tf.int64)
    drawn = change.draw(seeds)
    return drawn if config.draw == "joint" else recrop.pose(drawn, seeds)


def crops(count, context=CONTEXT, **settings):
    config = AugmentConfig(recrop=FACTOR, **settings)
    return recrop.draw(config, tf.constant([[5, number] for number in range(count)]), context)


def cut(masks, images, drawn, shown=None):
    made = recrop.cut(drawn, shown or crops(len(masks)), tf.constant(np.stack(images))[..., None],
                      tf.constant(np.stack(masks).astype(np.float32))[..., None], CONTEXT * FACTOR,
                      FACTOR)  # fmt: skip
    return [part.numpy()[..., 0] for part in made]


@pytest.mark.parametrize("draw", ["separate", "joint"])
def test_every_crop_follows_the_crop_policy_for_any_rotation(draw):
    masks, images = zip(*(blob(seed, centre=(seed % 7 - 3, seed % 5 - 2)) for seed in range(24)), strict=True)
    drawn = transforms(24, draw=draw, quarter_turns=True)
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


def test_without_rotation_the_crop_is_the_centre_of_the_stored_one():
    mask, image = blob(3)
    still = transforms(1, rotation_degrees=0.0, flips=False)._replace(down=tf.zeros(1), right=tf.zeros(1))
    found, _ = cut([mask], [image], still)
    y0, x0, y1, x1 = crop.bounding_box(mask)
    assert max(y1 - y0, x1 - x0) == pytest.approx(SIZE / CONTEXT, abs=1)
    margin = (WIDE - SIZE) // 2
    np.testing.assert_allclose(found[0], image[margin:-margin, margin:-margin], atol=0.03)


def test_a_second_mass_is_kept_but_does_not_affect_the_crop():
    mask, image = blob(1)
    both = mask.copy()
    both[2:6, 2:6] = True
    drawn = transforms(1)
    alone, together = cut([mask], [image], drawn)[1], cut([both], [image], drawn)[1]
    assert (together >= alone).all() and (together[alone > 0] == 1).all()
    assert crop.bounding_box(alone[0] > 0) == crop.bounding_box((together[0] > 0) & (alone[0] > 0))


def test_an_empty_mask_is_supported():
    image, mask = cut([np.zeros((WIDE, WIDE), bool)], [np.full((WIDE, WIDE), 0.3, np.float32)], transforms(1))
    np.testing.assert_allclose(image, 0.3, atol=1e-6)
    assert not mask.any()


ANY = {"context_range": (1.0, 2.0), "off_centre": 0.1, "crop_shape": "any"}


def test_contexts_are_log_uniform_in_their_range():
    context, boxed, beyond = (field.numpy() for field in crops(400, **ANY))
    assert 1.0 <= context.min() < 1.02 and 1.96 < context.max() <= 2.0
    assert np.mean(context < np.sqrt(2.0)) == pytest.approx(0.5, abs=0.08)
    assert 0.0 <= boxed.min() < 0.02 and 0.98 < boxed.max() <= 1.0 and abs(np.corrcoef(context, boxed)[0, 1]) < 0.15
    np.testing.assert_allclose(beyond, 0.1)


@pytest.mark.parametrize("draw", ["separate", "joint"])
def test_a_crop_depends_only_on_its_seed_and_defaults_to_the_crop_policy(draw):
    config = AugmentConfig(recrop=FACTOR, draw=draw, **ANY)
    one, again, other = (np.concatenate(recrop.draw(config, tf.constant([seed], tf.int64), 1.6))
                         for seed in ([3, 9], [3, 9], [3, 10]))  # fmt: skip
    assert one.tolist() == again.tolist() and one[0] != other[0] and one[1] != other[1]
    plain = recrop.draw(AugmentConfig(recrop=FACTOR, draw=draw), tf.constant([[3, 9]]), 1.6)
    assert [float(value[0]) for value in plain] == [pytest.approx(1.6), 0.0, 0.0]
    box = recrop.draw(AugmentConfig(crop_shape="box", draw=draw), tf.constant([[3, 9]]), 1.6)
    assert float(box.boxed[0]) == 1.0


def test_each_crop_has_the_drawn_context_and_shift():
    masks, images = zip(*(blob(seed, centre=(seed % 7 - 3, seed % 5 - 2)) for seed in range(24)), strict=True)
    shown = crops(24, context_range=(1.3, 2.0), off_centre=0.05)
    drawn = transforms(24)
    _, found = cut(masks, images, drawn, shown)
    fields = (drawn.down.numpy(), drawn.right.numpy(), shown.context.numpy())
    for mask, down, right, context in zip(found, *fields, strict=True):
        y0, x0, y1, x1 = crop.bounding_box(mask > 0)
        reach = SIZE * (1 - 1 / context) / 4 + 0.05 * SIZE
        inside = y0 > 0 and x0 > 0 and y1 < SIZE and x1 < SIZE
        assert inside or abs(down) > 0.5 or abs(right) > 0.5
        if inside:
            assert max(y1 - y0, x1 - x0) == pytest.approx(SIZE / context, abs=1.8)
            assert (y0 + y1 - SIZE) / 2 == pytest.approx(down * reach, abs=1.2)
            assert (x0 + x1 - SIZE) / 2 == pytest.approx(right * reach, abs=1.2)


@pytest.mark.parametrize(("wide", "high"), [(40, 20), (20, 40), (40, 4)])
def test_a_crop_in_the_shape_of_the_box_has_the_same_margin_on_all_sides(wide, high):
    """Like the crop files of CBIS-DDSM; resized to a square, a mass twice as wide as high is stretched."""
    mask = np.zeros((WIDE, WIDE), bool)
    top, left = (WIDE - high) // 2, (WIDE - wide) // 2
    mask[top : top + high, left : left + wide] = True
    still = transforms(1, rotation_degrees=0.0, flips=False)._replace(down=tf.zeros(1), right=tf.zeros(1))
    shown = recrop.Crop(tf.constant([1.5]), tf.constant([1.0]), tf.zeros(1))
    found = cut([mask], [mask.astype(np.float32)], still, shown)[1][0]
    y0, x0, y1, x1 = crop.bounding_box(found > 0)
    margin = 0.5 * max(wide, high)
    for side, given in ((x1 - x0, wide), (y1 - y0, high)):
        crop_side = max(given, recrop.THINNEST * max(wide, high)) + margin
        assert side == pytest.approx(SIZE * given / crop_side, abs=2)
    assert (y0 + y1 - SIZE, x0 + x1 - SIZE) == (pytest.approx(0, abs=2), pytest.approx(0, abs=2))


def test_image_and_mask_move_together_in_random_crops():
    masks, images = zip(*(blob(seed) for seed in range(16)), strict=True)
    image, mask = cut(masks, images, transforms(16), crops(16, **ANY))
    rim = np.abs(image - 0.5) < 0.06
    inner = np.s_[:, 4:-4, 4:-4]  # a wide crop may reach beyond the stored one, where a mass is mirrored but not marked
    agree = ((image > 0.5) == (mask > 0)) | rim
    assert agree[inner].mean() > 0.995 and rim.mean() < 0.2


def test_the_joint_draw_matches_earlier_releases():
    """Recorded before transforms had separate random streams."""
    found = recrop.draw(AugmentConfig(recrop=FACTOR, draw="joint", **ANY), tf.constant([[5, 7]]), 1.6)
    u = tf.random.stateless_uniform([2], [5, 7 + (1 << 21)]).numpy()
    assert float(found.context[0]) == pytest.approx(2.0 ** u[0]) and float(found.boxed[0]) == u[1]


def test_the_recorded_arithmetic_agrees_up_to_rounding():
    masks, images = zip(*(blob(seed) for seed in range(8)), strict=True)
    stacked = tf.constant(np.stack(images))[..., None], tf.constant(np.stack(masks).astype(np.float32))[..., None]
    drawn = transforms(8, draw="joint")
    now, then = (recrop.cut(drawn, crops(8), *stacked, CONTEXT * FACTOR, FACTOR, as_recorded=recorded)
                 for recorded in (False, True))  # fmt: skip
    np.testing.assert_allclose(now[0], then[0], rtol=0, atol=1e-4)
    assert np.mean(now[1].numpy() != then[1].numpy()) < 1e-3
