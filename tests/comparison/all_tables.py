"""Tables of a comparison, shared by several test files."""

from tfrespam.studies.comparison import averages, results
from tfrespam.studies.comparison.tables import Table, tables


def all_tables(rows) -> list[Table]:
    numbers = [row.numbers for row in rows]
    measured = averages.measured_pairs(numbers)
    return tables(numbers, results.leakage(rows), measured, averages.finding(measured))
