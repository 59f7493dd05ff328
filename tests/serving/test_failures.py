import pytest

from tfrespam.serving.client import failures


@pytest.mark.parametrize(("code", "message", "kind"), [
    ("UNAVAILABLE", "connection refused", failures.ServerUnavailableError),
    ("UNAVAILABLE", "certificate verify failed", failures.CredentialsError),
    ("PERMISSION_DENIED", "", failures.CredentialsError),
    ("DEADLINE_EXCEEDED", "", failures.DeadlineExceededError), ("NOT_FOUND", "", failures.ModelNotFoundError),
    ("INVALID_ARGUMENT", "Signature not found", failures.ModelNotFoundError),
    ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted", failures.ServerBusyError),
    ("RESOURCE_EXHAUSTED", "message larger than max", failures.TooMuchDataError),
    ("INTERNAL", "a fault", failures.ServerFaultError),
])  # fmt: skip
def test_status_and_message_determine_the_error_type(code, message, kind):
    found = failures.failure(code, message, "host:8500")
    assert type(found) is kind and found.code == code and str(found).startswith("host:8500: ")


def test_rejected_images_are_reported_by_position():
    report = "Graph execution error: assertion failed: [image_bytes[0 2] not a readable PNG or JPEG] [Op:...]"
    found = failures.failure("INVALID_ARGUMENT", report, "host:8500")
    assert type(found) is failures.ImageRefusedError and found.positions == (0, 2)
    assert str(found) == "image_bytes[0 2] not a readable PNG or JPEG"
    assert failures.ImageRefusedError("too large").positions == ()


def test_messages_are_shortened_and_contain_no_control_characters():
    assert failures.clean("a\x1b[31m\nb\t c") == "a [31m b c"
    assert len(failures.clean("x" * 1000)) == failures.LONGEST_MESSAGE + 1
