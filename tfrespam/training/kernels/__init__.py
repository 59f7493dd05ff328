"""Faster kernels for Keras layers and optimizers."""
