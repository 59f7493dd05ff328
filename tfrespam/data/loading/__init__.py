"""Load prepared data sets as tf.data: splits, batches, augmentation."""
