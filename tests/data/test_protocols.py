import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrespam.core.errors import UserError
from tfrespam.data.loading import protocols


def table(rows):
    """Make columns of index.csv from (patient, laterality, view, lesion number, split, fold) of each example."""
    patients, sides, views, numbers, splits, folds = zip(*rows, strict=True)
    films = [f"{patient}_{side}_{view}" for patient, side, view in zip(patients, sides, views, strict=True)]
    lesions = [f"{film}_{number}" for film, number in zip(films, numbers, strict=True)]
    columns = {"patient_id": patients, "laterality": sides, "view": views, "split": splits, "fold": folds,
               "film_id": films, "lesion_id": lesions, "source": ["films"] * len(films)}  # fmt: skip
    return {name: np.array(values) for name, values in columns.items()}


def many(patients, lesions, test_patients=0):
    """Make a table of `lesions` lesions distributed over patients; the last patients are on the test list."""
    names = [f"P_{number:05}" for number in range(patients)]
    fold = protocols.folds(names[: patients - test_patients]) | protocols.folds(names[patients - test_patients :])
    rows = []
    for number in range(lesions):
        patient = number % patients
        split = "test" if patient >= patients - test_patients else "train"
        view = ("CC", "MLO")[number // patients % 2]
        rows.append((names[patient], "LEFT", view, number // patients, split, fold[names[patient]]))
    return table(rows)


@given(st.integers(1, 80), st.integers(2, 7))
def test_folds_are_balanced_and_depend_on_the_patients_alone(patients, count):
    names = [f"P_{number:05}" for number in range(patients)]
    fold = protocols.folds(names, count)
    sizes = np.bincount(list(fold.values()), minlength=count)
    assert sizes.max() - sizes.min() <= 1 and set(fold) == set(names)
    assert protocols.folds(names[::-1] * 2, count) == fold


def test_folds_do_not_follow_the_order_of_the_names():
    fold = protocols.folds([f"P_{number:05}" for number in range(1000)])
    assert sum(fold[f"P_{n:05}"] == fold[f"P_{n + 1:05}"] for n in range(999)) == pytest.approx(200, abs=50)


def check_apart(data, parts):
    patients = {name: set(data["patient_id"][part]) for name, part in parts.items()}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not patients[one] & patients[other] and not (parts[one] & parts[other]).any()


@pytest.mark.parametrize("fold", range(5))
def test_official_keeps_the_test_list_and_splits_the_rest_by_patient(fold):
    data = many(60, 300, test_patients=10)
    parts = protocols.splits(data, "official", fold)
    assert {name: part.sum() for name, part in parts.items()} == {"train": 200, "validation": 50, "test": 50}
    np.testing.assert_array_equal(parts["test"], data["split"] == "test")
    check_apart(data, parts)


def test_folds_validate_each_training_lesion_once_and_exclude_the_test_list():
    data = many(60, 300, test_patients=10)
    parts = [protocols.splits(data, "folds", fold) for fold in range(5)]
    np.testing.assert_array_equal(sum(part["validation"].astype(int) for part in parts), data["split"] == "train")
    for part in parts:
        assert part["train"].sum() == 200 and part["validation"].sum() == 50 and not part["test"].any()
        check_apart(data, part)
        audit = protocols.leak_audit(data, part["validation"], protocols.identities(data, part["train"]))
        assert audit == {"copy": 0, "film": 0, "breast": 0, "patient": 0}


def test_paper_protocol_splits_1318_lesions_into_13707_and_3427_copies():
    lesions = many(691, 1318)
    data = {name: np.repeat(values, 13) for name, values in lesions.items()}
    assert len(data["split"]) == 17134
    parts = protocols.splits(data, "paper")
    assert (parts["train"].sum(), parts["validation"].sum(), parts["test"].sum()) == (13707, 3427, 0)
    assert not (parts["train"] & parts["validation"]).any()
    audit = protocols.leak_audit(data, parts["validation"], protocols.identities(data, parts["train"]))
    # a copy is alone on its side with a chance of about 0.2 ** 12
    assert audit == {"copy": 3427, "film": 3427, "breast": 3427, "patient": 3427}
    protocols.refuse_leaks(audit, "paper")


def test_paper_order_follows_the_seed_and_excludes_the_test_list():
    data = many(60, 300, test_patients=10)
    first, again, other = (protocols.splits(data, "paper", seed=seed)["train"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and not (first & (data["split"] == "test")).any() and first.sum() == 200


def test_protocol_all_trains_on_the_training_list_and_tests_on_the_test_list():
    data = many(60, 300, test_patients=10)
    parts = protocols.splits(data, "all", fold=2)
    np.testing.assert_array_equal(parts["train"], data["split"] == "train")
    np.testing.assert_array_equal(parts["test"], data["split"] == "test")
    np.testing.assert_array_equal(parts["validation"], (data["split"] == "train") & (data["fold"] == 2))
    trained = protocols.identities(data, parts["train"])
    protocols.refuse_leaks(protocols.leak_audit(data, parts["validation"], trained), "all")
    seen = protocols.leak_audit(data, parts["train"], trained)  # as if the test list held them
    with pytest.raises(UserError, match="protocol 'all' leaks"):
        protocols.refuse_leaks(seen, "all", "test")


TRAINED = [("A", "LEFT", "CC", 1, "train", 0), ("B", "LEFT", "CC", 1, "train", 0), ("D", "LEFT", "CC", 1, "train", 0)]


@pytest.mark.parametrize(("judged", "expected"), [
    ([("C", "LEFT", "CC", 1)], (0, 0, 0, 0)),
    ([("A", "RIGHT", "CC", 1)], (0, 0, 0, 1)),
    ([("A", "LEFT", "MLO", 1)], (0, 0, 1, 1)),
    ([("A", "LEFT", "CC", 2)], (0, 1, 1, 1)),
    ([("A", "LEFT", "CC", 1)], (1, 1, 1, 1)),
    ([("A", "LEFT", "CC", 1), ("A", "LEFT", "CC", 3), ("B", "LEFT", "MLO", 1), ("D", "RIGHT", "CC", 1),
      ("E", "RIGHT", "CC", 1)], (1, 2, 3, 4)),
])  # fmt: skip
def test_audit_counts_copies_films_breasts_and_patients(judged, expected):
    data = table(TRAINED + [(*row, "train", 1) for row in judged])
    trained = protocols.identities(data, data["fold"] == 0)
    audit = protocols.leak_audit(data, data["fold"] == 1, trained)
    assert tuple(audit[kind] for kind in ("copy", "film", "breast", "patient")) == expected
    for protocol in ("official", "folds"):
        if any(expected):
            with pytest.raises(UserError, match=f"protocol '{protocol}' leaks.* {expected[-1]} share a patient"):
                protocols.refuse_leaks(audit, protocol)
        else:
            protocols.refuse_leaks(audit, protocol)
    protocols.refuse_leaks(audit, "paper")


def test_a_patient_on_both_lists_is_found():
    data = table([("A", "LEFT", "CC", 1, "train", 1), ("A", "LEFT", "MLO", 1, "test", 0)])
    parts = protocols.splits(data, "official", 0)
    audit = protocols.leak_audit(data, parts["test"], protocols.identities(data, parts["train"]))
    assert audit == {"copy": 0, "film": 0, "breast": 1, "patient": 1}


def test_equal_ids_of_another_data_set_are_recognised_as_such():
    data = table(TRAINED)
    trained = protocols.identities(data, np.ones(3, bool))
    elsewhere = {**data, "source": np.array(["another"] * 3)}
    assert protocols.of_other_sources(elsewhere, np.ones(3, bool), trained)
    assert protocols.leak_audit(elsewhere, np.ones(3, bool), trained)["patient"] == 3  # as of a copy of it
    mixed = {**data, "source": np.array(["another", "another", data["source"][0]])}
    earlier = {kind: seen for kind, seen in trained.items() if kind != "source"}  # by models of earlier releases
    for judged, known in ((data, trained), (mixed, trained), (elsewhere, earlier), (elsewhere, None)):
        assert not protocols.of_other_sources(judged, np.ones(3, bool), known)


def test_recorded_identities_do_not_reveal_patient_ids():
    data = table(TRAINED)
    known = protocols.identities(data, np.ones(3, bool))
    assert [len(known[kind]) for kind in ("copy", "film", "breast", "patient")] == [3, 3, 3, 3]
    assert not any("LEFT" in value or value in "ABD" for values in known.values() for value in values)


def test_excluded_films_are_in_no_split():
    data = many(20, 100)
    films = ("P_00003_LEFT_CC", "P_00007_LEFT_MLO")
    for protocol in protocols.PROTOCOLS:
        for part in protocols.splits(data, protocol, exclude_films=films).values():
            assert not np.isin(data["film_id"][part], films).any()
    with pytest.raises(UserError, match="does not contain: P_00099_LEFT_CC, typo. Expected at most 1 .*Received: 2"):
        protocols.splits(data, "folds", exclude_films=(*films, "typo", "P_00099_LEFT_CC"), absent_films=1)


def test_absent_excluded_films_are_reported(caplog):
    data = many(20, 100)
    found = protocols.splits(data, "folds", exclude_films=("typo", "P_00003_LEFT_CC"), absent_films=1)
    assert "does not contain: typo" in caplog.text and caplog.records[0].levelname == "WARNING"
    assert not any((data["film_id"][part] == "P_00003_LEFT_CC").any() for part in found.values())


def test_unknown_protocol_names_the_known_ones():
    with pytest.raises(UserError, match="Expected one of official, folds, paper, all. Received: 'random'"):
        protocols.splits(many(5, 5), "random")


def test_an_earlier_training_on_another_data_set_stays_apart():
    """Patients of two data sets have the same ids, so that the second training must not count as a leak."""
    data, everything = table(TRAINED), np.ones(3, bool)
    own = protocols.identities(data, data["patient_id"] != "A")
    elsewhere = protocols.identities({**data, "source": np.array(["another"] * 3)}, everything)
    both = protocols.joined(own, elsewhere)
    assert both["before"] == [elsewhere] and protocols.joined(both, elsewhere)["before"] == [elsewhere] * 2
    assert protocols.leak_audit(data, data["patient_id"] == "A", both) == dict.fromkeys(own.keys() - {"source"}, 0)
    assert protocols.leak_audit({**data, "source": np.array(["another"] * 3)}, everything, both)["patient"] == 3
    assert not protocols.of_other_sources({**data, "source": np.array(["another"] * 3)}, everything, both)
    assert protocols.of_other_sources({**data, "source": np.array(["a third"] * 3)}, everything, both)


def test_trainings_on_one_data_set_or_of_unknown_source_are_united():
    data = table(TRAINED)
    first, second = (protocols.identities(data, data["patient_id"] == name) for name in "AB")
    both = protocols.joined(first, second)
    assert both == protocols.identities(data, data["patient_id"] != "D")
    del second["source"]
    unknown = protocols.joined(first, second)
    assert unknown == {kind: seen for kind, seen in both.items() if kind != "source"}
    elsewhere = {**data, "source": np.array(["another"] * 3)}
    assert not protocols.of_other_sources(elsewhere, np.ones(3, bool), unknown)
