from hypothesis import given
from hypothesis import strategies as st

from cetd.serving.places import Places


@given(st.integers(0, 5), st.lists(st.integers(0, 9), max_size=60))
def test_as_many_are_taken_as_are_held_and_never_more_than_there_are(number, done):
    places, held, given_back = Places(number), [], set()
    for holder in done:
        if places.full:
            assert places.taken == number
        else:
            held.append(places.take())
        if holder < len(held):  # some of them once more
            held[holder].give_back()
            given_back.add(holder)
        assert places.taken == len(held) - len(given_back) <= number
