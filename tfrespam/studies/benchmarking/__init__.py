"""Measurements of the stage `benchmark`, one kind a file."""
