"""Inference on files, with a model on this machine."""
