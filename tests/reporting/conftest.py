"""Fixtures of this folder."""

import pytest
from parsed_page import Page

from tfrespam.report import report


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    """Write the report of the session's run; return its path and its parsed page."""
    output = tmp_path_factory.mktemp("report") / "with space.html"
    report(str(trained[1]), output=str(output))
    return output, Page(output.read_text(encoding="utf-8"))
