"""The quick look at an address never lets through what the thorough one would not, as the thorough one would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.config.addresses import email, reader_email

PIECE = st.text("abxyz019_+-.", min_size=1, max_size=12)
LABEL = st.text("abxn019-", min_size=1, max_size=70)
TOP = st.sampled_from(
    ["com", "example", "test", "local", "localhost", "invalid", "onion", "arpa", "c", "123", "x1", "de"]
)
ADDRESSES = st.builds(
    lambda local, labels, top: f"{local}@{'.'.join([*labels, top])}",
    st.text("abxyz019_+-.A", min_size=1, max_size=70),
    st.lists(LABEL | st.sampled_from(["xn--mnchen-3ya", "ab--cd", "a" * 63, "a" * 64]), max_size=5),
    TOP,
)
MARKS = st.text("ab.@-+ \n\t<>\"'äß．", max_size=20)


@given(ADDRESSES | MARKS | st.emails())
def test_an_address_is_the_same_to_the_quick_and_to_the_thorough_look(text: str) -> None:
    try:
        found = reader_email(text)
    except ValueError:
        return
    assert found == email(text)
