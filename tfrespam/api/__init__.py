"""Public functions `load_model`, `export`, `evaluate` and `predict` of the package, one per file."""
