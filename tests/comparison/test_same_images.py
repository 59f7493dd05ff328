import numpy as np

from tfrespam.studies.comparison.collect import Scores
from tfrespam.studies.comparison.same_images import blocks


def judged(*names) -> Scores:
    images = np.array(sorted(names))
    return Scores(images, images, {"dice": np.ones(len(images))})


def test_networks_with_the_same_images_form_one_block():
    made = blocks({"A": judged("a", "b"), "B": judged("b", "a")})
    assert [(block.networks, block.images) for block in made] == [(("A", "B"), ("a", "b"))]
    assert made[0].label == "2 images evaluated by all networks"


def test_networks_with_more_images_form_additional_blocks():
    made = blocks({"A": judged("a", "b", "c"), "B": judged("a"), "C": judged("a", "b", "c"), "D": judged("a", "b")})
    assert [(block.networks, block.images) for block in made] == [
        (("A", "B", "C", "D"), ("a",)), (("A", "C", "D"), ("a", "b")), (("A", "C"), ("a", "b", "c"))]  # fmt: skip
    assert made[2].label == "3 images evaluated by 2 of 4 networks"


def test_networks_without_a_common_image_are_in_separate_blocks():
    made = blocks({"A": judged("a"), "B": judged("b", "c")})
    assert [(block.networks, block.images) for block in made] == [(("A",), ("a",)), (("B",), ("b", "c"))]


def test_blocks_of_as_many_but_other_images_have_different_labels():
    made = blocks({"A": judged("a", "b"), "B": judged("a", "c"), "C": judged("a", "b")})
    assert [block.label for block in made] == [
        "1 images evaluated by all networks", "2 images evaluated by 2 of 3 networks",
        "2 images evaluated by 1 of 3 networks"]  # fmt: skip
    made = blocks({"A": judged("a", "b"), "B": judged("a", "c")})
    assert [block.label for block in made] == [
        "1 images evaluated by all networks", "2 images evaluated by 1 of 2 networks: A",
        "2 images evaluated by 1 of 2 networks: B"]  # fmt: skip


def test_the_block_of_common_images_comes_first():
    made = blocks({"A": judged("a", "b"), "B": judged("b", "c")})
    assert [(block.networks, block.images) for block in made] == [
        (("A", "B"), ("b",)), (("A",), ("a", "b")), (("B",), ("b", "c"))]  # fmt: skip
