"""Training on a GPU or TPU with any Keras backend: examples and augmentation are on the device, without TensorFlow."""
