import pytest

from tfrespam.config import DataConfig, Experiment
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.networks import matching_width, parameters
from tfrespam.studies.comparison.plan import Comparison, Network


def square(width: float) -> int:
    """Parameters of a network whose channel counts are even numbers, as `tfrespam.models.blocks.scaled` makes them."""
    channels = [max(2, 2 * round(count * width / 2)) for count in (64, 128, 256, 512)]
    return sum(9 * first * second for first, second in zip(channels, channels[1:], strict=False))


@pytest.mark.parametrize("target", [60_000, 133_337, 500_000, 1_500_000, 40_000_000])
@pytest.mark.parametrize("start", [0.03, 1.0, 8.0])
def test_width_gives_the_parameters_within_two_per_cent(target, start):
    tried = []

    def count(width):
        tried.append(width)
        return square(width)

    width = matching_width(count, target, start)
    assert square(width) == pytest.approx(target, rel=0.02)
    assert len(tried) <= 12 and len(set(tried)) == len(tried)


def test_width_is_found_for_quartic_growth_of_parameters():
    width = matching_width(lambda width: int(1000 * width**4) + 5, 123_456)
    assert int(1000 * width**4) + 5 == pytest.approx(123_456, rel=0.02)


def test_a_width_that_matches_is_kept():
    assert matching_width(square, square(0.25), 0.25) == 0.25


def test_error_if_no_width_matches():
    with pytest.raises(UserError, match="no width gives 100 parameters within 2%. Closest found: 108 at width"):
        matching_width(square, 100)


def test_parameters_are_counted_for_both_images_of_a_pair():
    """The first convolution of U-Net, 64 kernels of 3 x 3 an image: width 1/8 has 8."""
    one, two = (parameters(Comparison(models=[Network("unet", width=0.125)], base=Experiment(data=data)))[0]
                for data in (DataConfig(image_size=32), DataConfig(image_size=32, second="view")))  # fmt: skip
    assert two - one == 8 * 3 * 3
