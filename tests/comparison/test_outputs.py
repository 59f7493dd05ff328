import csv
import json

from tfrespam.studies.comparison import outputs as report


def test_files_contain_every_number(rows, comparison, tmp_path, capsys):
    report.write(comparison, rows, tmp_path)
    known = json.loads((tmp_path / "table.json").read_text())
    assert [row["network"] for row in known["rows"]] == [row.title for row in rows]
    assert known["rows"][1]["published_dice"] is None
    assert len(known["leakage"]) == 4 and len(known["averages"]["published"]) == 7
    with open(tmp_path / "table.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(row["dice"]) for row in read] == [row.numbers["dice"] for row in rows]
    assert read[0]["ranks"] == " ".join(f"{share:g}" for share in rows[0].numbers["ranks"])
    text = (tmp_path / "table.md").read_text()
    assert "* U-Net: Adam for SGD." in text and "## Cost of leakage" in text
    assert (tmp_path / "table.tex").read_text().startswith("% \\usepackage{booktabs")
    assert "Cost of leakage" in capsys.readouterr().out
