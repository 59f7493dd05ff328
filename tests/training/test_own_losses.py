import keras
import pytest

from tfrespam.core.errors import UserError
from tfrespam.losses import Focal
from tfrespam.training.objectives.own_losses import make_loss


def test_built_in_losses_are_made_by_name():
    loss = make_loss("focal", {"gamma": 1.5})
    assert type(loss) is Focal and loss.options["gamma"] == 1.5


def test_user_defined_losses_are_imported():
    assert type(make_loss("keras.losses:Huber", {"delta": 0.5})) is keras.losses.Huber


@pytest.mark.parametrize(("name", "options", "error", "message"), [
    ("nothing", {}, (UserError, ValueError), "nothing"), ("focal", {"delta": 1}, ValueError, "delta"),
    ("keras.losses:Huber", {"gamma": 1}, UserError, "cannot be created with the options"),
    ("collections:OrderedDict", {}, UserError, "gives OrderedDict"),
])  # fmt: skip
def test_unknown_losses_and_options_are_rejected(name, options, error, message):
    with pytest.raises(error, match=message):
        make_loss(name, options)
