import numpy as np

from tfrespam.studies.reporting.groups import OTHER, UNKNOWN, by_attribute


def row(dice, pathology="BENIGN", shape="", pixels=10, patient="p"):
    return {"dice": str(dice), "pathology": pathology, "shape": shape, "tp": str(pixels), "fn": "0", "subtlety": "-1",
            "breast_density": "-1", "patient_id": patient}  # fmt: skip


def test_each_value_has_a_mean_and_an_interval():
    rows = [row(place / 10, "BENIGN" if place < 5 else "MALIGNANT", patient=str(place)) for place in range(10)]
    benign, malignant = by_attribute(rows)["Pathology"]
    assert (benign.name, benign.images, benign.patients) == ("Benign", 5, 5)
    assert np.isclose([benign.dice, malignant.dice], [0.2, 0.7]).all()
    assert 0 <= benign.low < 0.2 < benign.high <= 0.4


def test_unknown_attributes_are_omitted():
    assert list(by_attribute([row(0.5) for _ in range(6)])) == ["Pathology", "Lesion size"]


def test_rare_values_are_merged_and_unknown_ones_are_named():
    shapes = ["OVAL"] * 6 + ["ROUND", "LYMPH_NODE", ""]
    groups = by_attribute([row(0.5, shape=shape) for shape in shapes])["Mass shape"]
    found = {group.name: group.images for group in groups}
    assert found == {"Oval": 6, OTHER: 2, UNKNOWN: 1} and list(found)[0] == "Oval"


def test_sizes_are_divided_into_thirds():
    rows = [row(0.5, pixels=size) for size in (90, 10, 50, 60, 20, 80, 30, 70, 40)]
    groups = by_attribute(rows)["Lesion size"]
    assert [group.images for group in groups] == [3, 3, 3]
    assert [group.name.split()[0] for group in groups] == ["smallest", "middle", "largest"]
    assert [group.images for group in by_attribute([row(0.5, pixels=7)] * 4)["Lesion size"]] == [4]
