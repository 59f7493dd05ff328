import dataclasses

import pytest

from tfrespam.config import Experiment, TrainingConfig
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.plan import Comparison, Network, OwnRecipe, chosen, trainings


def comparison(**changes) -> Comparison:
    own = OwnRecipe(training={"loss": "dice_iou", "learning_rate": 1e-4}, departures=["Adam."])
    base = Experiment(name="base", training=TrainingConfig(epochs=7, loss="bce", ema=0.9, schedule="cosine"))
    made = Comparison(name="c", base=base, models=[Network("unet", own=own), Network("segnet", own=own)])
    return dataclasses.replace(made, **changes)


def test_every_combination_is_trained_once():
    planned = trainings(comparison(recipes=["controlled", "own"], protocols=["paper", "folds", "official"],
                                   seeds=[0, 1], folds=[0, 3]))  # fmt: skip
    found = {(t.network.name, t.recipe, t.protocol, t.experiment.seed, t.experiment.data.fold) for t in planned}
    assert len(found) == len(planned) == 2 * 2 * (2 + 2 * 2 + 2)  # paper and official have one training a seed
    assert ("unet", "own", "folds", 1, 3) in found
    assert {fold for _, _, protocol, _, fold in found if protocol != "folds"} == {0}


def test_all_networks_are_trained_on_a_fold_before_the_next_fold():
    planned = trainings(comparison(protocols=["folds"], folds=[2, 4]))
    assert [(t.network.name, t.experiment.data.fold) for t in planned] == [
        ("unet", 2), ("segnet", 2), ("unet", 4), ("segnet", 4)]  # fmt: skip


def test_a_network_can_override_seeds_and_folds():
    models = [Network("unet", folds=[0, 1, 2], seeds=[5]), Network("segnet")]
    planned = trainings(comparison(models=models, protocols=["folds"]))
    assert sorted((t.network.name, t.experiment.seed, t.experiment.data.fold) for t in planned) == [
        ("segnet", 0, 0), ("unet", 5, 0), ("unet", 5, 1), ("unet", 5, 2)]  # fmt: skip


@pytest.mark.parametrize("changes", [
    {"seeds": [0, 1, 0]}, {"folds": [2, 2]}, {"protocols": ["paper", "paper"]}, {"recipes": ["own", "own"]},
    {"models": [Network("unet", seeds=[3, 3])]}, {"models": [Network("unet", folds=[3, 3])]},
])  # fmt: skip
def test_a_training_is_planned_once(changes):
    with pytest.raises(UserError, match="must name each value once. Received: "):
        trainings(comparison(**changes))


def test_options_and_width_of_a_network_override_the_base():
    models = [Network("unet"), Network("respam_unet", width=0.5, options={"attention": "se"})]
    base = Experiment(name="base")
    base.model.width, base.model.options = 0.25, {"normalization": "standardize"}
    first, second = trainings(comparison(models=models, protocols=["paper"], base=base))
    assert (first.experiment.model.width, first.experiment.model.options) == (0.25, {"normalization": "standardize"})
    assert second.experiment.model.width == 0.5
    assert second.experiment.model.options == {"normalization": "standardize", "attention": "se"}
    assert base.model.options == {"normalization": "standardize"}


def test_training_settings_of_a_network_override_the_base():
    own = OwnRecipe({"ema": 0.5})
    models = [Network("unet", own=own), Network("unet", label="No average", training={"ema": 0.0}, own=own)]
    planned = trainings(comparison(models=models, recipes=["controlled", "own"], protocols=["paper"]))
    assert [t.experiment.training.ema for t in planned[:2]] == [0.9, 0.0]
    assert planned[1].experiment.training.loss == "bce" and planned[3].experiment.training.ema == 0.5


def test_own_recipe_keeps_only_the_budget_of_the_base():
    planned = trainings(comparison(recipes=["controlled", "own"], protocols=["folds"]))
    controlled, own = planned[0].experiment.training, planned[2].experiment.training
    assert (controlled.loss, controlled.ema, controlled.schedule) == ("bce", 0.9, "cosine")
    assert own == TrainingConfig(epochs=7, loss="dice_iou", learning_rate=1e-4)
    assert planned[0].experiment.name == "base-unet" and planned[2].experiment.name == "base-unet-own"


def test_own_recipe_may_have_builder_options():
    own = OwnRecipe(training={"side_decay_epochs": 100.0}, options={"side_outputs": True})
    models = [Network("ds_unet", options={"side_outputs": False, "dropout": 0.1}, own=own)]
    controlled, published = trainings(comparison(models=models, recipes=["controlled", "own"], protocols=["paper"]))
    assert controlled.experiment.model.options == {"side_outputs": False, "dropout": 0.1}
    assert published.experiment.model.options == {"side_outputs": True, "dropout": 0.1}
    assert published.experiment.training.side_decay_epochs == 100


def test_per_protocol_settings_also_set_the_budget_of_own_recipes():
    changes = {"paper": {"training": {"epochs": 2, "warmup_epochs": 0.5}}}
    planned = trainings(comparison(recipes=["controlled", "own"], per_protocol=changes))
    seen = {(t.recipe, t.protocol): t.experiment.training for t in planned}
    assert {key: training.epochs for key, training in seen.items()} == {
        ("controlled", "paper"): 2, ("own", "paper"): 2, ("controlled", "folds"): 7, ("own", "folds"): 7}  # fmt: skip
    assert seen["controlled", "paper"].warmup_epochs == 0.5 and seen["own", "paper"].warmup_epochs == 0


def test_labels_distinguish_two_configurations_of_one_network():
    models = [Network("respam_unet"), Network("respam_unet", label="ResPAM, no attention")]
    planned = trainings(comparison(models=models, protocols=["paper"]))
    assert [t.row[2] for t in planned] == ["ResPAM U-Net", "ResPAM, no attention"]
    assert [t.experiment.name for t in planned] == ["base-respam_unet", "base-respam_no_attention"]


@pytest.mark.parametrize("name", ["segnet", "SegNet"])
def test_only_accepts_names_and_labels(name):
    made = comparison(only=[name])
    assert [chosen(made, network) for network in made.models] == [False, True]
    assert all(chosen(comparison(), network) for network in made.models)


@pytest.mark.parametrize("changes, message", [
    ({"models": []}, "at least one entry under models"),
    ({"protocols": []}, "at least one entry under protocols"),
    ({"models": [Network("unet"), Network("unet")]}, "a different label. Received twice: .*U-Net"),
    ({"only": ["vnet"]}, "one of .*segnet.* Received: vnet"),
    ({"recipes": ["own"], "models": [Network("unet")]}, "published settings .* none for U-Net"),
    ({"recipes": ["own"], "models": [Network("unet", own=OwnRecipe(training={"lr": 1}))]},
     "U-Net, own recipe, paper: .*'lr'"),
    ({"per_protocol": {"paper": {"train": {"epochs": 1}}}}, "U-Net, controlled recipe, paper: .*'train.epochs'"),
    ({"per_protocol": {"paper": {"training": {"epochs": "many"}}}}, "Expected a <class 'int'>"),
    ({"per_protocol": {"paper": {"training": {"epochs": 0}}}}, "training.epochs` must be .* above 0"),
])  # fmt: skip
def test_invalid_comparisons_are_rejected(changes, message):
    with pytest.raises(UserError, match=message):
        trainings(comparison(**changes))
