"""Geometry of films: breast region, crop and padding, for NumPy and for TensorFlow's graph."""
