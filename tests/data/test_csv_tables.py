import csv
import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.core.errors import UserError
from tfrespam.data.readers import csv_tables

ROWS = [{"image": "a.png", "patient id": "P1"}, {"image": "b.png", "patient id": "P2"}]
EXPECTED = ("image", "patient_id")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def written(rows, separator=",", first="", newline="\r\n", **options):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator=newline, **options)
    writer.writerow(["image", "patient_id"])
    writer.writerows([row["image"], row["patient id"]] for row in rows)
    return first + buffer.getvalue()


@pytest.mark.parametrize(("separator", "encoding"), list(itertools.product(",;\t|", ENCODINGS)))
def test_every_separator_and_encoding_is_read(tmp_path, separator, encoding):
    for first in ("", f"sep={separator}\r\n", "\r\n"):
        (tmp_path / "a.csv").write_bytes(written(ROWS, separator, first).encode(encoding))
        assert csv_tables.records(tmp_path / "a.csv", EXPECTED) == ROWS


cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12).map(csv_tables.composed)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({"image": cells, "patient id": cells}), max_size=6),
       separator=st.sampled_from(",;\t|"), encoding=st.sampled_from(("utf-8", "utf-8-sig", "utf-16")),
       named=st.booleans(), newline=st.sampled_from(("\n", "\r\n")), quoting=st.sampled_from((0, 1)))  # fmt: skip
def test_written_tables_are_read_back(tmp_path_factory, rows, separator, encoding, named, newline, quoting):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    first = f"sep={separator}{newline}" if named else ""
    path.write_bytes(written(rows, separator, first, newline, quoting=quoting).encode(encoding))
    stripped = [{name: cell.strip() for name, cell in row.items()} for row in rows]
    assert csv_tables.records(path, EXPECTED) == [row for row in stripped if any(row.values())]


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300))
def test_arbitrary_bytes_give_a_table_or_an_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(content)
    try:
        assert all(isinstance(cell, str) for row in csv_tables.records(path, EXPECTED) for cell in row.values())
    except UserError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(("content", "message"), [
    (b"image,patient_id\na.png,P1,4,0\n", "line 2: expected 2 cells. Received: 4"),
    (b'image,patient_id\n"a.png,P1\nb.png,P2\n', "quotation mark closed"),
    (b"image,image\na,b\n", "several columns named image"),
    ("image,patient_id\nä.png,P1\n".encode("cp1252"), "neither UTF-8 nor UTF-16.*CSV UTF-8"),
])  # fmt: skip
def test_malformed_rows_and_quotes_are_errors(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        csv_tables.records(tmp_path / "a.csv", EXPECTED)


def test_header_spelling_empty_cells_and_empty_rows_are_tolerated(tmp_path):
    (tmp_path / "a.csv").write_text(",\n Image , Patient_ID ,,\n,,,\na.png, P1 ,,\nb.png\n")
    assert csv_tables.records(tmp_path / "a.csv", EXPECTED) == [ROWS[0], {"image": "b.png", "patient id": ""}]


@pytest.mark.parametrize(("text", "number"), [("4", 4), (" 4 ", 4), ("4.0", 4), ("4,0", 4), ("4.", 4), ("012", 12),
                                              ("²", -1), ("①", -1), ("٣", -1), ("4.5", -1), ("4a", -1), ("", -1),
                                              ("-3", -1), ("1e3", -1), ("9" * 30, -1)])  # fmt: skip
def test_whole_numbers_are_parsed(text, number):
    assert csv_tables.whole(text) == number


@pytest.mark.parametrize(("text", "number"), [("4", 4), ("4a", 4), ("4 C", 4), ("4.0", 4), ("0", 0), ("4d", -1),
                                              ("44", -1), ("²", -1), ("", -1), ("a", -1)])  # fmt: skip
def test_grades_are_parsed(text, number):
    assert csv_tables.grade(text) == number


def test_paths_and_names_are_normalised():
    assert csv_tables.path_parts("images\\\\sub/./a.png") == ("images", "sub", "a.png")
    assert csv_tables.composed("u\u0308") == "\u00fc" and csv_tables.digits("20586908.0") == "20586908"
    assert csv_tables.digits("n7.5") == "n7.5"
