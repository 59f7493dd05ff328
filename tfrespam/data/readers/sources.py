"""List of the readers of `prepare`, one for each kind of download."""

from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.data.readers import busi, cbis_ddsm, cdd_cesm, folder, inbreast, mini_mias
from tfrespam.data.readers.records import Source

SOURCES: dict[str, Source] = {
    "cbis_ddsm": cbis_ddsm,  # also phantom films, which have the layout of CBIS-DDSM
    "inbreast": inbreast,
    "cdd_cesm": cdd_cesm,
    "mini_mias": mini_mias,
    "busi": busi,
    "folder": folder,
}

LOOKED_FOR = {
    "cbis_ddsm": "mass_case_description_train_set.csv or ..._test_set.csv, at most three folders deep (TCIA, NBIA or "
                 "Kaggle download)",
    "inbreast": "AllDICOMs/ and AllXML/",
    "cdd_cesm": "Radiology_hand_drawn_segmentations_v2.csv and images such as P1_L_DM_CC.jpg",
    "mini_mias": "Info.txt and films such as mdb001.pgm",
    "busi": "benign/ and malignant/ with images such as \"benign (1).png\" and \"benign (1)_mask.png\"",
    "folder": "images/ and masks/",
}  # fmt: skip


def find_source(root: str | Path) -> Source:
    """Find the module that reads the download under `root`. Raises UserError if none recognises it."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"expected a folder with mammograms. Received: {root}, which is not a folder")
    for source in SOURCES.values():
        if source.recognise(root):
            return source
    looked_for = "".join(f"\n  {name}: {what}" for name, what in LOOKED_FOR.items())
    held = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise UserError(f"{root} is not a data set that this software can read. Looked for:{looked_for}\n"
                    f"Found in it: {held}")
