from solution import clamp


def test_a_value_inside_stays():
    assert clamp(5, 0, 9) == 5


def test_a_value_below_is_raised():
    assert clamp(-3, 0, 9) == 0


def test_a_value_above_is_lowered():
    assert clamp(12, 0, 9) == 9


def test_an_empty_range_is_refused():
    try:
        clamp(1, 2, 0)
    except ValueError:
        return
    raise AssertionError("an empty range was accepted")
