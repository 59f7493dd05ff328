"""The networks: one system per file, built by name."""

from tfrespam.models.factory import BUILDERS, build_model

__all__ = ["BUILDERS", "build_model"]
