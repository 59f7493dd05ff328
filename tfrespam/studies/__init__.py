"""Comparison, report, benchmark and demonstration; other packages do not import them."""
