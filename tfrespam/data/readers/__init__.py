"""Readers of downloaded data sets, one module each."""
