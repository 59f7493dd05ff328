"""Stage `report`: finished runs, evaluations or comparisons -> one HTML file that needs nothing else."""

from pathlib import Path

from tfrespam import cli
from tfrespam.errors import UserError


def report(*runs: str, output: str = "report.html", data_dir: str | None = None, model: str | None = None,
           title: str = "Segmentation of breast masses", pictures: bool = True) -> None:  # fmt: skip
    """Writes one self-contained HTML page about runs, evaluations or comparisons: scores, subgroups, pictures.

    Args:
        runs: Folders of training runs, of `evaluate` or of `compare`.
        output: The HTML file.
        data_dir: Home of the prepared data sets, for the pictures (default: as in the run's config.yaml).
        model: Exported model that draws the outlines (default: the run's own export).
        title: Title of the page.
        pictures: Whether crops are shown; they are pictures of patients where the data set is.
    """
    from tfrespam.files import whole_file
    from tfrespam.reporting import page, source

    folders = [Path(run) for run in runs]
    if Path(output).is_dir():
        raise UserError(f"--output must be an HTML file. Received: {output}, a folder")
    comparisons = [page.comparison(folder) for folder in folders if source.is_comparison(folder)]
    judged = [source.read(folder) for folder in folders if not source.is_comparison(folder)]
    sections = []
    for place, each in enumerate(judged, 1):
        shown, reason = _pictures(each, model, data_dir) if pictures else ({}, "left out on demand (--pictures false)")
        sections.append(page.section(each, f"run{place}", shown, reason))
    text = page.render(sections, comparisons, title, _made())
    with whole_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    cli.console.print(f"{output}: {len(text) / 1e6:.1f} MB, opens in any browser")


def _made() -> str:
    import datetime

    from tfrespam import provenance

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    return f"Made {now} by: {provenance.command()}; tfrespam {provenance.versions()['tfrespam']}, {provenance.git()}"


def _pictures(judged, model: str | None, data_dir: str | None) -> tuple[dict, str]:
    """Pictures by case, or {} and the reason: a report without them is still worth having."""
    from tfrespam import runtime
    from tfrespam.reporting import gallery

    rows = [row for some in gallery.shown(judged.images).values() for row in some] + gallery.failures(judged.images)
    try:
        path = Path(model) if model else _exported(judged)
        runtime.start()
        return gallery.draw(judged, rows, path, data_dir), ""
    except UserError as error:
        cli.console.print(f"{judged.folder}: no pictures: {error}")
        return {}, str(error)


def _exported(judged) -> Path:
    """The export of the weights that the run selected."""
    from tfrespam.export import exported_from

    config = judged.config
    if not config:
        raise UserError(f"{judged.folder} is no training run: name the exported model with --model")
    weights = judged.folder / f"{config['training']['select']}.keras"
    found = exported_from(weights, config["models_dir"], config["name"]) if weights.exists() else None
    if found is None:
        raise UserError(f"{config['models_dir']}/{config['name']} holds no export of {weights}. Name one with --model")
    return found


def main() -> None:
    cli.run(report)


if __name__ == "__main__":
    main()
