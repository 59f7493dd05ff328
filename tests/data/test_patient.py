from collections import Counter

import numpy as np

from tfrespam.data.phantom.patient import draw_patient


def draw(count):
    return [draw_patient(index, np.random.default_rng([0, index])) for index in range(count)]


def test_patients_have_one_or_two_breasts():
    patients = draw(100)
    assert [p.patient_id for p in patients[:2]] == ["P_90001", "P_90002"]
    sides = Counter(tuple(b.side for b in p.breasts) for p in patients)
    assert set(sides) == {("LEFT",), ("RIGHT",), ("LEFT", "RIGHT")}
    assert min(sides.values()) > 10
    assert {p.density for p in patients} == {1, 2, 3, 4}


def test_masses_have_the_variety_of_real_ones():
    masses = [mass for p in draw(200) for breast in p.breasts for mass in breast.masses]
    assert {"ROUND", "OVAL", "LOBULATED", "IRREGULAR"} <= {m.shape for m in masses}
    assert {"CIRCUMSCRIBED", "OBSCURED", "ILL_DEFINED", "MICROLOBULATED", "SPICULATED"} == {m.margins for m in masses}
    assert {m.subtlety for m in masses} == {1, 2, 3, 4, 5}
    assert {m.pathology for m in masses} == {"MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK"}
    assert {m.number for m in masses} == {1, 2, 3}
    lengths = [m.length for m in masses]
    assert 25 <= min(lengths) < 32
    assert 75 < max(lengths) <= 110
    assert 44 < np.median(lengths) < 54


def test_spiculated_masses_are_irregular():
    masses = [mass for p in draw(100) for breast in p.breasts for mass in breast.masses]
    assert {m.shape.split("-")[0] for m in masses if m.margins == "SPICULATED"} == {"IRREGULAR"}
