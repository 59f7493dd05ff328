"""The kinds of download that `prepare` understands."""

from pathlib import Path

from tfrespam.data import cbis_ddsm, folder, inbreast
from tfrespam.data.records import Source
from tfrespam.errors import UserError

SOURCES: dict[str, Source] = {
    "cbis_ddsm": cbis_ddsm,  # phantom films as well: they lie on disk as CBIS-DDSM does
    "inbreast": inbreast,
    "folder": folder,
}

LOOKED_FOR = {
    "cbis_ddsm": "mass_case_description_train_set.csv or ..._test_set.csv, at most three folders deep (TCIA, NBIA or "
                 "Kaggle download)",
    "inbreast": "AllDICOMs/ and AllXML/",
    "folder": "images/ and masks/",
}  # fmt: skip


def find_source(root: str | Path) -> Source:
    """The module that reads the download under `root`. Raises UserError when none recognises it."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"expected a folder with mammograms. Received: {root}, which is no folder")
    for source in SOURCES.values():
        if source.recognise(root):
            return source
    looked_for = "".join(f"\n  {name}: {what}" for name, what in LOOKED_FOR.items())
    held = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise UserError(f"{root} is no data set that this software reads. Looked for:{looked_for}\nFound in it: {held}")
