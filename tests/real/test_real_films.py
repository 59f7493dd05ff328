"""Recognition of films on the whole real list: all but three films, no square crop, and 216 of 6,590 oblong crops."""

import os

import cv2
import pytest

from tfrespam.data.geometry import crop
from tfrespam.data.geometry.film_detection import FILM_SIDE, looks_like_film
from tfrespam.data.readers import cbis_ddsm

pytestmark = [pytest.mark.real, pytest.mark.skipif(not os.environ.get("TFRESPAM_REAL_DATA"),
                                                   reason="TFRESPAM_REAL_DATA is not set")]  # fmt: skip


@pytest.fixture(scope="module")
def films(whole_tree):
    """The pixels of every film of the list, by name."""
    return {film.film_id: cbis_ddsm.read(film) for film in cbis_ddsm.scan(whole_tree("tcia")).films}


def test_films_are_recognised_without_a_header(films):
    """But for three, whose breast fills more of them than BREAST."""
    others = {name for name, film in films.items() if not looks_like_film(film.image)}
    assert len(films) == 1231 and others == {"P_00569_RIGHT_MLO", "P_01039_RIGHT_MLO", "P_01394_RIGHT_MLO"}


@pytest.mark.parametrize("context", [1.2, 1.6, 2.4])
def test_no_square_crop_around_a_mass_is_taken_for_a_film(films, context):
    """Neither at its own resolution nor enlarged to one at which it might be a film."""
    seen = 0
    for film in films.values():
        for lesion, mask in film.masks:
            cut = crop.cut(film.image, crop.roi_box(mask, lesion.lesion_id, context))
            assert not looks_like_film(cut), lesion.lesion_id
            assert not looks_like_film(crop.resize_image(cut, FILM_SIDE + 88)), lesion.lesion_id
            seen += 1
    assert seen == 1318


def test_few_crops_of_the_lesions_proportions_are_taken_for_films(films):
    """Enlarged to 600 pixels, which no crop of these films has: 216 of 6,590, as docs/reference/films.md says."""
    crops = [enlarged(oblong(film.image, crop.bounding_box(mask), context), 600)
             for film in films.values() for _, mask in film.masks for context in (1.2, 1.4, 1.6, 2.0, 2.4)]  # fmt: skip
    assert len(crops) == 6590 and sum(looks_like_film(image) for image in crops) == 216


def oblong(image, box, context):
    """Cut `context` times the box out of the image, in the box's proportions."""
    y0, x0, y1, x1 = box
    rows, columns = (context - 1) * (y1 - y0) / 2, (context - 1) * (x1 - x0) / 2
    return crop.cut(image, tuple(round(edge) for edge in (y0 - rows, x0 - columns, y1 + rows, x1 + columns)))


def enlarged(image, longest):
    scale = longest / max(image.shape)
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
