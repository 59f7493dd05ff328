"""Small run folders for tests of `export`."""

import yaml
from small_model import small_model

CONFIG = {"name": "mine", "seed": 3, "models_dir": "saved_models", "data": {"view": "roi", "context": 1.6},
          "model": {"name": "unet", "width": 0.25, "options": {"depth": 4}},
          "training": {"select": "best"}}  # fmt: skip


def _write_fake(model, path, *_, half, **__):
    (path / "saved_model.pb").touch()


SUMMARY = {"dataset": "d", "protocol": "folds", "split": "validation", "n_images": 9, "n_patients": 4, "coverage": 0.2,
           "threshold": 0.5, "metrics": {"dice": {"image": 0.875}}, "skill": 0.1, "leak_audit": {"copy": 0},
           "command": "python -m tfrespam.train"}  # fmt: skip


def make_run(folder, **select):
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "models_dir": str(folder / "models")} | select))
    for seed, name in enumerate(("best", "last")):
        small_model(seed=seed).save(folder / f"{name}.keras")
    return folder
