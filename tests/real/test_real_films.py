"""Recognition of films on the whole real list: all but three films are, and no square crop around a mass is."""

import os

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
