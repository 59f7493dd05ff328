import cv2
import numpy as np
import other_sets
import pytest

from tfrespam.data.readers import near_duplicates

SIZE = 220, 300
PICTURE = other_sets.picture(1, SIZE)


def marked(picture):
    changed = picture.copy()
    cv2.drawMarker(changed, (120, 100), 255, cv2.MARKER_CROSS, 15, 2)
    cv2.putText(changed, "LT BREAST", (10, 210), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255)
    return changed


ALTERED = {
    "same": PICTURE,
    "brighter": np.clip(PICTURE * 1.3 + 10, 0, 255).astype(np.uint8),
    "smaller": cv2.resize(PICTURE, (170, 130), interpolation=cv2.INTER_AREA),
    "noisy": np.clip(PICTURE + np.random.default_rng(0).normal(0, 8, SIZE), 0, 255).astype(np.uint8),
    "mirrored": PICTURE[:, ::-1],
    "marked": marked(PICTURE),
    "trimmed": PICTURE[2:, 3:],
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_image_and_its_altered_copy_form_one_group(name):
    found = near_duplicates.groups({"a": near_duplicates.fingerprint(PICTURE),
                                    "b": near_duplicates.fingerprint(ALTERED[name])})  # fmt: skip
    assert found == {"a": "a", "b": "a"}


def test_different_images_of_the_same_kind_are_not_grouped():
    """All are brighter at the top, as ultrasound images are."""
    ramp = np.linspace(160, 0, SIZE[0])[:, None]
    prints = {str(seed): near_duplicates.fingerprint(other_sets.picture(seed, SIZE) * 0.4 + ramp) for seed in range(60)}
    assert near_duplicates.groups(prints) == {name: name for name in prints}


def test_groups_are_transitive():
    rng = np.random.default_rng(0)
    bits = rng.random((2, 512)) < 0.5
    chain = [bits.copy()]
    for step in range(3):
        changed = chain[-1].copy()
        changed[:, 50 * step : 50 * step + 50] ^= True  # a tenth of the bits each
        chain.append(changed)
    prints = dict(zip(["b", "far", "a", "c"], [chain[0], rng.random((2, 512)) < 0.5, chain[2], chain[1]], strict=True))
    assert near_duplicates.groups(prints) == {"b": "b", "far": "far", "a": "b", "c": "b"}
    assert near_duplicates.groups({}) == {}
