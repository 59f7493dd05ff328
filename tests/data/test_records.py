import pickle

import pytest

from tfrespam.data.readers.records import Action, Film, Lesion


@pytest.mark.parametrize("action", Action)
def test_lesions_are_kept_unless_skipped_or_absent(action):
    dropped = {"skipped_missing", "skipped_unreadable", "skipped_empty", "skipped_ambiguous", "absent"}
    assert action.kept == (str(action) not in dropped)


def test_unknown_facts_are_empty_and_films_can_be_sent_to_workers():
    lesion = Lesion("P_1_LEFT_CC_1", "P_1_LEFT_CC", "P_1", "train", "phantom")
    assert (lesion.pathology, lesion.assessment, lesion.breast_density) == ("", -1, -1)
    film = Film("P_1_LEFT_CC", (lesion,), ("film.dcm", "mask.dcm"))
    assert pickle.loads(pickle.dumps(film)) == film
