import time

from tfrespam.studies.benchmarking import timing


def test_functions_run_alternately():
    calls = []
    found = timing.alternate({"a": lambda: calls.append("a"), "b": lambda: (calls.append("b"), time.sleep(0.002))}, 3)
    assert calls == ["a", "b"] * 5  # two warm-up rounds
    assert found["a"]["median"] < 0.002 <= found["b"]["low"] <= found["b"]["median"] <= found["b"]["high"]
    assert found["a"]["rounds"] == 3
