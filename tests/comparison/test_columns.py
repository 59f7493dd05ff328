from tfrespam.studies.comparison.columns import percent, probability


def test_percentages_and_probabilities_are_formatted():
    assert percent(0.94204) == "94.20" and percent(float("nan")) == "–" and percent(None) == "–"
    assert probability(0.00004) == "< 0.001" and probability(0.0432) == "0.043" and probability(float("nan")) == "–"
