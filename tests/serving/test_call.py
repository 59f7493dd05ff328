from tfrespam.serving.client.call import MIB, Call, limit_of_images, limit_of_values


def test_every_call_has_a_unique_id():
    one, other = Call.new(3.0), Call.new(3.0, limit=5)
    assert one.id != other.id and len(one.id) == 16 and one.timeout == 3.0
    assert (one.limit, other.limit) == (16 * MIB, 5)


def test_response_size_limits_follow_the_request():
    assert limit_of_images([]) == MIB and limit_of_images([100, 50]) == 3 * MIB + 8 * 150
    assert limit_of_values(10) == MIB + 320
