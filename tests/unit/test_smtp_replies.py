"""Replies, out of whatever pieces they come in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.delivery.replies import GARBLED, LONGEST_LINE, LONGEST_REPLY, Reply, ReplyReader

SEVERAL = b"250-first\r\n250 second\r\n354 go\r\n221\r\n250-a\r\n250-\r\n250 c\r\n"
READ = [Reply(250, b"first\nsecond"), Reply(354, b"go"), Reply(221), Reply(250, b"a\n\nc")]


@given(cuts=st.lists(st.integers(0, len(SEVERAL)), max_size=10).map(sorted))
def test_replies_are_read_however_they_are_cut(cuts: list[int]) -> None:
    reader, places = ReplyReader(), [0, *cuts, len(SEVERAL)]
    pieces = [SEVERAL[start:end] for start, end in pairwise(places)]
    assert [reply for piece in pieces for reply in reader.feed(piece)] == READ


def test_bare_line_feeds_are_good_enough() -> None:
    assert ReplyReader().feed(b"250-a\n250 b\n") == [Reply(250, b"a\nb")]


def test_words_that_are_no_utf8_are_kept() -> None:
    [reply] = ReplyReader().feed(b"550 n\xf6\r\n")
    assert reply.text == "n\udcf6"


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"25\r\n",
        b"hello\r\n",
        b"2500 ok\r\n",
        b"250+ok\r\n",
        b"-50 ok\r\n",
        b"250-ok\r\n354 go\r\n",
        b"250-ok\r\n\r\n",
        b"\xff\xfe\x00 x\r\n",
        b"250 " + b"x" * LONGEST_LINE + b"\r\n",
        b"250 " + b"x" * LONGEST_LINE,
        b"250-and so on\r\n" * (LONGEST_REPLY // 10),
    ],
)
def test_what_is_no_reply_is_told_at_once(octets: bytes) -> None:
    assert [reply.code for reply in ReplyReader().feed(octets)] == [GARBLED]


def test_the_replies_before_nonsense_are_read_and_none_after_it() -> None:
    replies = ReplyReader().feed(b"250 ok\r\nnonsense\r\n250 ok\r\n")
    assert replies == [Reply(250, b"ok"), Reply(GARBLED, b"not a reply: nonsense")]
