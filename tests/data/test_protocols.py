import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrespam.data import protocols
from tfrespam.errors import UserError


def table(rows):
    """Columns of index.csv from (patient, side, view, number of the lesion, split, fold) for each example."""
    patients, sides, views, numbers, splits, folds = zip(*rows, strict=True)
    films = [f"{patient}_{side}_{view}" for patient, side, view in zip(patients, sides, views, strict=True)]
    lesions = [f"{film}_{number}" for film, number in zip(films, numbers, strict=True)]
    columns = {"patient_id": patients, "laterality": sides, "view": views, "split": splits, "fold": folds,
               "film_id": films, "lesion_id": lesions, "source": ["films"] * len(films)}  # fmt: skip
    return {name: np.array(values) for name, values in columns.items()}


def many(patients, lesions, test_patients=0):
    """A table of `lesions` lesions, shared out among patients; the last patients are on the test list."""
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
def test_official_keeps_the_test_list_and_cuts_the_rest_by_patient(fold):
    data = many(60, 300, test_patients=10)
    parts = protocols.parts(data, "official", fold)
    assert {name: part.sum() for name, part in parts.items()} == {"train": 200, "validation": 50, "test": 50}
    np.testing.assert_array_equal(parts["test"], data["split"] == "test")
    check_apart(data, parts)


def test_folds_judge_every_training_lesion_once_and_never_the_test_list():
    data = many(60, 300, test_patients=10)
    parts = [protocols.parts(data, "folds", fold) for fold in range(5)]
    np.testing.assert_array_equal(sum(part["validation"].astype(int) for part in parts), data["split"] == "train")
    for part in parts:
        assert part["train"].sum() == 200 and part["validation"].sum() == 50 and not part["test"].any()
        check_apart(data, part)
        audit = protocols.leak_audit(data, part["validation"], protocols.identities(data, part["train"]))
        assert audit == {"copy": 0, "film": 0, "breast": 0, "patient": 0}


def test_paper_makes_13707_and_3427_of_1318_lesions():
    lesions = many(691, 1318)
    data = {name: np.repeat(values, 13) for name, values in lesions.items()}
    assert len(data["split"]) == 17134
    parts = protocols.parts(data, "paper")
    assert (parts["train"].sum(), parts["validation"].sum(), parts["test"].sum()) == (13707, 3427, 0)
    assert not (parts["train"] & parts["validation"]).any()
    audit = protocols.leak_audit(data, parts["validation"], protocols.identities(data, parts["train"]))
    # a copy is alone on its side with a chance of about 0.2 ** 12
    assert audit == {"copy": 3427, "film": 3427, "breast": 3427, "patient": 3427}
    protocols.refuse_leaks(audit, "paper")


def test_paper_order_follows_the_seed_and_leaves_out_the_test_list():
    data = many(60, 300, test_patients=10)
    first, again, other = (protocols.parts(data, "paper", seed=seed)["train"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and not (first & (data["split"] == "test")).any() and first.sum() == 200


def test_all_trains_on_the_whole_training_list_and_keeps_the_test_list_apart():
    data = many(60, 300, test_patients=10)
    parts = protocols.parts(data, "all", fold=2)
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
    parts = protocols.parts(data, "official", 0)
    audit = protocols.leak_audit(data, parts["test"], protocols.identities(data, parts["train"]))
    assert audit == {"copy": 0, "film": 0, "breast": 1, "patient": 1}


def test_ids_of_another_data_set_may_be_the_same_by_chance():
    data = table(TRAINED)
    trained = protocols.identities(data, np.ones(3, bool))
    elsewhere = {**data, "source": np.array(["another"] * 3)}
    assert protocols.of_other_sources(elsewhere, np.ones(3, bool), trained)
    assert protocols.leak_audit(elsewhere, np.ones(3, bool), trained)["patient"] == 3  # as of a copy of it
    mixed = {**data, "source": np.array(["another", "another", data["source"][0]])}
    earlier = {kind: seen for kind, seen in trained.items() if kind != "source"}  # by models of earlier releases
    for judged, known in ((data, trained), (mixed, trained), (elsewhere, earlier), (elsewhere, None)):
        assert not protocols.of_other_sources(judged, np.ones(3, bool), known)


def test_what_a_model_remembers_of_its_patients_does_not_name_them():
    data = table(TRAINED)
    known = protocols.identities(data, np.ones(3, bool))
    assert [len(known[kind]) for kind in ("copy", "film", "breast", "patient")] == [3, 3, 3, 3]
    assert not any("LEFT" in value or value in "ABD" for values in known.values() for value in values)


def test_excluded_films_take_no_part():
    data = many(20, 100)
    films = ("P_00003_LEFT_CC", "P_00007_LEFT_MLO")
    for protocol in protocols.PROTOCOLS:
        for part in protocols.parts(data, protocol, exclude_films=films).values():
            assert not np.isin(data["film_id"][part], films).any()
    with pytest.raises(UserError, match="does not hold: P_00099_LEFT_CC, typo"):
        protocols.parts(data, "folds", exclude_films=(*films, "typo", "P_00099_LEFT_CC"))


def test_unknown_protocol_names_the_known_ones():
    with pytest.raises(UserError, match="Expected one of official, folds, paper, all. Received: 'random'"):
        protocols.parts(many(5, 5), "random")
