from tfrespam.benchmark import PARTS
from tfrespam.config import DataConfig, Experiment, ModelConfig
from tfrespam.studies.benchmarking import measurements


def test_every_benchmark_part_has_a_measurement(monkeypatch):
    assert tuple(measurements.MEASURES) == PARTS
    monkeypatch.setitem(measurements.MEASURES, "data", lambda experiment, results, size: results.update(size=size))
    assert measurements.measure("data", None, {"other": {}}, 3) == {"other": {}, "size": 3}


def test_machine_and_network_are_described(monkeypatch):
    monkeypatch.setattr(measurements.machine, "sgemm_rate", float)
    monkeypatch.setattr(measurements.machine, "bandwidth", float)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    experiment = Experiment(data=DataConfig(image_size=32), model=ModelConfig("unet", 0.0625, {}))
    found = measurements.machine_and_network(experiment, quick=True)
    assert (found["sgemm_rate"], found["bandwidth"]) == (256, 8) and found["speed"] == found["other"] == {}
    assert found["model"]["name"] == "unet" and found["model"]["parameters"] > 100
    assert found["model"]["forward_operations"] > found["model"]["parameters"]
