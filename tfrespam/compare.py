"""Command line of `compare`: train and evaluate several networks in the same way, and tabulate them."""

from tfrespam import cli
from tfrespam.config import OPTION_GROUPS
from tfrespam.studies.comparison.plan import Comparison


def compare(**options) -> None:
    """Train every network of a comparison, and tabulate their scores with the published ones.

    Finished trainings are reused, so that the same command resumes after an interruption. A failed training is
    reported at the end, with exit status 1; the others are tabulated.
    """
    from tfrespam.studies.comparison import train_and_tabulate

    train_and_tabulate.compare(Comparison(**options))


def main() -> None:
    cli.run(compare, signature=Comparison, groups=OPTION_GROUPS)


if __name__ == "__main__":
    main()
