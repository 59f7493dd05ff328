"""Command line of `verify`: repeat a recorded training and compare the results."""

from collections.abc import Sequence

from tfrespam import cli


def verify(*runs: str, data_dir: str | None = None, output: str | None = None, tolerance: float = 0.0) -> None:
    """Repeat training runs from their config.yaml and compare weights, history and scores; status 2 if they differ.

    Args:
        runs: Folders of finished training runs.
        data_dir: Folder of all prepared data sets (default: as in config.yaml).
        output: Folder for the repeated runs (default: they are deleted).
        tolerance: Largest accepted difference of a score; above 0, weights may differ. Other machines or versions
            rarely give bitwise equal results.
    """
    from tfrespam.workflows import verification

    verification.verify(runs, data_dir, output, tolerance)


def main(args: Sequence[str] | None = None) -> None:
    cli.run(verify, args)


if __name__ == "__main__":
    main()
