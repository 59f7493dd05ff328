"""Evaluation of masks and probabilities: scores, calibration, candidate masses and statistics."""
