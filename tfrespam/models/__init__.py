"""Segmentation networks, one per file, built by name."""

from tfrespam.models.factory import BUILDERS, DISCRIMINATORS, build_model

__all__ = ["BUILDERS", "DISCRIMINATORS", "build_model"]
