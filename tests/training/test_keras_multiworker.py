import keras

from tfrespam.training.distribution import keras_multiworker


def test_a_newer_keras_is_not_patched(monkeypatch, capsys):
    before = keras_multiworker.trainer.reduce_per_replica
    monkeypatch.setattr(keras, "__version__", "3.16.0")
    keras_multiworker.mend()
    assert keras_multiworker.trainer.reduce_per_replica is before
    assert "Keras 3.16.0 is newer than 3.15" in capsys.readouterr().out
