import tensorflow as tf

from tfrespam.studies.benchmarking.profile import by_operation


def test_operations_are_listed_with_their_seconds_in_descending_order():
    matrix = tf.random.stateless_uniform((256, 256), (0, 0))
    product = tf.function(lambda each: each @ each)
    found = by_operation(lambda: product(matrix).numpy(), 2)
    assert any("MatMul" in kind and seconds > 0 for kind, seconds in found.items())
    assert list(found.values()) == sorted(found.values(), reverse=True)
