import pytest

from tfrespam.training.estimate import Estimate, Measured, duration, size

MEASURED = Measured(0.5, 1_000_000_000, 30_000_000)


def test_estimate_matches_a_computation_by_hand():
    known = Estimate(MEASURED, epochs=10, steps=100, batch_size=8, validated=240, pixels=64**2)
    assert known.epoch_seconds == pytest.approx(0.5 * (100 + 240 / 8 / 3)) and known.seconds == pytest.approx(550)
    assert known.memory == 1_000_000_000 + 64**2 * (800 * 3 + 240 * 8)
    assert str(known).startswith("10 epochs of 100 steps at 0.5 s (measured on 3): about 9 min after building the "
                                 "graph, 55 s an epoch; memory")
    assert str(known).endswith("about 1.0 GB, disk 30 MB")


def test_durations_and_sizes_have_readable_units():
    assert [duration(seconds) for seconds in (12.4, 600, 930_000)] == ["12 s", "10 min", "258 h"]
    assert [size(count) for count in (1_000_000, 2_500_000_000)] == ["1 MB", "2.5 GB"]
