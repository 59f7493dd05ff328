import json

import pytest
from small_runs import make_run

from tfrespam.export import export
from tfrespam.workflows.find_export import exported_from


@pytest.mark.usefixtures("quick")
def test_an_export_is_found_by_the_weights_it_was_made_from(tmp_path):
    run = make_run(tmp_path)
    assert exported_from(run / "best.keras", tmp_path / "models", "mine") is None
    export(str(run), views="dihedral")
    assert exported_from(run / "best.keras", tmp_path / "models", "mine") is None
    for unlike in ({"threshold": 0.3}, {"weights": "float16"}, {"arithmetic": "float32"}):
        export(str(run), **unlike)
        assert exported_from(run / "best.keras", tmp_path / "models", "mine") is None
    export(str(run))
    export(str(run))
    models = tmp_path / "models"
    assert exported_from(run / "best.keras", models, "mine") == models / "mine" / "5"
    metadata = tmp_path / "models" / "mine" / "5" / "metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"calibration": {"temperature": 2.0}}))
    assert exported_from(run / "best.keras", models, "mine") == models / "mine" / "6"
    assert exported_from(run / "last.keras", tmp_path / "models", "mine") is None
