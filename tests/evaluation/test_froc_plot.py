import numpy as np
from matplotlib.figure import Figure

from tfrespam.evaluation.detection import find
from tfrespam.evaluation.froc import curve_rows, detection_scores, operating_point
from tfrespam.evaluation.froc_plot import draw_froc

PATIENTS = list("aabb")


def films():
    findings = []
    for score, column in ((0.9, 5), (0.8, 20), (0.7, 5), (0.6, 8)):
        reference, probability = np.zeros((2, 40, 40))
        reference[5:15, 5:15] = 1
        probability[5:15, column : column + 10] = score
        findings.append(find(reference, probability, 0.5))
    detection = detection_scores(findings, PATIENTS) | {"operating_point": operating_point(findings, PATIENTS, 0.65)}
    return [{name: str(value) for name, value in row.items()} for row in curve_rows(findings, PATIENTS)], detection


def test_drawn_curves_points_and_intervals_match_the_numbers():
    curve, detection = films()
    axis = Figure().subplots()
    draw_froc(axis, curve, detection, ("tab:blue", "tab:red"))
    lines = [np.array(line.get_xydata(), float) for line in axis.get_lines()]
    np.testing.assert_allclose(lines[0], [(0, 0), (0, 0.25), (0.25, 0.25), (0.25, 0.5), (0.25, 0.75)])
    points = [line for line in axis.get_lines() if line.get_marker() == "D"]
    np.testing.assert_allclose([point.get_xydata()[0] for point in points], [(0.25, 0.5), (0.25, 0.5)])
    assert len([each for each in axis.collections if "Fill" in type(each).__name__]) == 2  # bands
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["score 0.650", "IoU ≥ 0.1", "IoU ≥ 0.5"]


def test_rows_of_earlier_releases_are_drawn_without_bands():
    curve, detection = films()
    old = [{name: row[name] for name in ("score", "fp_per_image", "sensitivity_iou_0.1", "sensitivity_iou_0.5")}
           for row in curve]  # fmt: skip
    del detection["operating_point"]
    axis = Figure().subplots()
    draw_froc(axis, old, detection, ("tab:blue", "tab:red"))
    assert len(axis.collections) == 2  # bars of the four rates, of each criterion


def test_unknown_values_leave_gaps():
    detection = detection_scores([find(np.zeros((4, 4)), np.zeros((4, 4)))], ["a"], resamples=5)
    draw_froc(Figure().subplots(), [], detection, ("tab:blue", "tab:red"))
