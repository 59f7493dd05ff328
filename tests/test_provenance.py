"""Provenance in every output: command, settings, seed, data, versions and state of the source tree."""

import json

import yaml

from tfrespam.serving.inference import saved_model


def test_every_output_records_its_provenance(trained, prepared):
    experiment, run = trained
    head, settings = (run / "config.yaml").read_text(), yaml.safe_load((run / "config.yaml").read_text())
    assert head.startswith("# ") and "; git " in head and settings["seed"] == experiment.seed
    folders = (run, run / "validation", run / "test")
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    metadata = saved_model.read_metadata(saved_model.locate(f"{experiment.models_dir}/exp"))
    for facts in (*summaries, metadata, prepared.facts):
        assert {"command", "versions", "git"} <= set(facts) and facts["versions"]["tensorflow"]
    for summary in summaries:
        assert summary["data_sha256"] == json.loads((run / "data.json").read_text())["index_sha256"] == prepared.digest
        assert summary["seed"] == experiment.seed and summary["machine"].endswith("cores")
        assert summary["settings"]["training"]["epochs"] == 2 and summary["settings"]["data"] == metadata["data"]
    assert metadata["seed"] == experiment.seed
    assert metadata["data"]["dataset"] == metadata["dataset"]["dataset"] == "tiny"
