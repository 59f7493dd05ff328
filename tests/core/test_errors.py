import pytest

from tfrespam.core.errors import UserError, first_line


@pytest.mark.parametrize(("error", "line"), [
    (ValueError("\n  a fault  \nmore of it"), "a fault"), (KeyError(), "KeyError"), (UserError("told"), "told"),
])  # fmt: skip
def test_first_line_is_the_first_with_text_or_the_name_of_the_class(error, line):
    assert first_line(error) == line
