"""Command line of `report`: write one self-contained HTML file about runs, evaluations or comparisons."""

import datetime
from pathlib import Path

from tfrespam import cli
from tfrespam.core import provenance, runtime
from tfrespam.core.console import console, log
from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_file


def report(*runs: str, output: str = "report.html", data_dir: str | None = None, model: str | None = None,
           title: str = "Segmentation of breast masses", images: bool = True) -> None:  # fmt: skip
    """Write a self-contained HTML page about runs, evaluations or comparisons: scores, subgroups, images.

    Args:
        runs: Folders of training runs, of `evaluate` or of `compare`.
        output: The HTML file.
        data_dir: Folder of all prepared data sets, for the images (default: as in the run's config.yaml).
        model: Exported model for the outlines (default: the export of the run).
        title: Title of the page.
        images: Show crops; with real data these are images of patients.
    """
    from tfrespam.studies.reporting import html_page as page
    from tfrespam.training.run_results import RunResults

    folders = [Path(run) for run in runs]
    if Path(output).is_dir():
        raise UserError(f"`output` must be an HTML file. Received: {output}, a folder")
    comparisons = [page.comparison(folder) for folder in folders if page.is_comparison(folder)]
    others = _finished([folder for folder in folders if not page.is_comparison(folder)], bool(comparisons))
    sections = []
    for number, results in enumerate(map(RunResults.read, others), 1):
        shown, reason = _images(results, model, data_dir) if images else ({}, "omitted (--images false)")
        sections.append(page.section(results, f"run{number}", shown, reason))
    text = page.render(sections, comparisons, title, _made())
    with whole_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    console.print(f"{output}: {len(text) / 1e6:.1f} MB, open it in any browser")


def _finished(folders: list[Path], others: bool) -> list[Path]:
    """Return the folders with results; report unfinished runs, which are used only if there are no others."""
    finished = [folder for folder in folders if (folder / "summary.json").exists() or not folder.is_dir()]
    if not finished and not others:
        return folders  # reading them reports what is missing
    for folder in folders:
        if folder not in finished:
            log.warning(f"warning: {folder} is omitted, because it contains no finished run (no summary.json)")
    return finished


def _made() -> str:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    return f"Made {now} by: {provenance.command()}; tfrespam {provenance.versions()['tfrespam']}, {provenance.git()}"


def _images(results, model: str | None, data_dir: str | None) -> tuple[dict, str]:
    """Draw images by case, or return {} and the reason; the report is written without them."""
    from tfrespam.studies.reporting import gallery

    rows = [row for some in gallery.shown(results.images).values() for row in some] + gallery.failures(results.images)
    try:
        path = Path(model) if model else _exported(results)
        runtime.start()
        return gallery.draw(results, rows, path, data_dir), ""
    except UserError as error:
        console.print(f"{results.folder}: no images: {error}")
        return {}, str(error)


def _exported(results) -> Path:
    """Return the export of the run's selected weights."""
    from tfrespam.training.runs import TrainingRun
    from tfrespam.workflows.find_export import exported

    config = results.config
    if not config:
        raise UserError(f"{results.folder} is not a training run, so its exported model is unknown. Name one with "
                        "`model`")
    found = exported(TrainingRun.open(results.folder))
    if found is None:
        raise UserError(f"{config['models_dir']}/{config['name']} contains no export of the weights of "
                        f"{results.folder}. Name an exported model with `model`")
    return found


def main() -> None:
    cli.run(report)


if __name__ == "__main__":
    main()
