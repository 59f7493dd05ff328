"""TensorBoard logs of a training run."""
