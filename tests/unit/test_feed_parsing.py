"""What a feed may and may not do to us, beyond the corpus."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from dispatcher.errors import SourceError
from dispatcher.sources import feed
from dispatcher.sources.guids import MAX_LENGTH

URL = "https://feeds.example/feed.xml"


def rss(items: str, *, channel: str = "<title>T</title>") -> bytes:
    return f'<rss version="2.0"><channel>{channel}{items}</channel></rss>'.encode()


def json_feed(**keys: object) -> bytes:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [], **keys}).encode()


def test_at_most_two_thousand_items_of_a_json_feed_are_taken() -> None:
    items = [{"id": n, "title": str(n)} for n in range(2100)]
    assert len(feed.parse(json_feed(items=items), url=URL).items) == 2000


def test_the_charset_of_the_content_type_counts_before_the_declaration() -> None:
    body = '<?xml version="1.0" encoding="utf-8"?>' + rss("<item><title>Łódź</title></item>").decode()
    parsed = feed.parse(body.encode("iso-8859-2"), url=URL, content_type="application/rss+xml; charset=iso-8859-2")
    assert parsed.items[0].title == "Łódź"


@pytest.mark.parametrize("charset", ["utf-7", "rot13", "no-such-thing", "idna", "\xff", '"', "utf-16", ""])
def test_a_strange_charset_breaks_nothing(charset: str) -> None:
    parsed = feed.parse(rss("<item><title>Plain</title></item>"), url=URL, content_type=f"text/xml; charset={charset}")
    assert parsed.items[0].title == "Plain"


@pytest.mark.parametrize("encoding", [b"utf-7", b"\xff\xfe", b"hex", b"unicode_escape", b""])
def test_a_strange_declared_encoding_never_raises_anything_but_a_source_error(encoding: bytes) -> None:
    body = b'<?xml version="1.0" encoding="' + encoding + b'"?>' + rss("<item><title>Plain</title></item>")
    with suppress(SourceError):
        assert feed.parse(body, url=URL).items


def test_an_article_about_entities_is_no_bomb() -> None:
    item = "<item><title>Bombs</title><description><![CDATA[Write <!ENTITY a 'b'> never.]]></description></item>"
    assert feed.parse(rss(item), url=URL).items[0].title == "Bombs"


def test_bytes_that_are_a_file_name_open_no_file() -> None:
    with pytest.raises(SourceError):
        feed.parse(b"/etc/hostname", url=URL)


def test_a_very_long_guid_is_hashed_and_stays_the_same() -> None:
    item = f"<item><title>T</title><guid isPermaLink='false'>{'x' * 5000}</guid></item>"
    first, again = (feed.parse(rss(item), url=URL).items[0].guid for _ in range(2))
    assert first == again
    assert len(first) <= MAX_LENGTH


def test_a_guid_can_always_be_stored() -> None:
    item = {"id": "a\x00b\ud800c", "title": "T"}
    guid = feed.parse(json_feed(items=[item]), url=URL).items[0].guid
    assert "\0" not in guid
    guid.encode("utf-8")


def test_an_item_without_id_and_link_keeps_its_guid_while_its_words_stay() -> None:
    one, two = rss("<item><title>A</title></item>"), rss("<item><title>Z</title></item><item><title>A</title></item>")
    assert feed.parse(one, url=URL).items[0].guid == feed.parse(two, url=URL).items[1].guid


@pytest.mark.parametrize("body", [b"{" * 100_000, b'{"a":' * 100_000, b"[]", b'{"version": 1}', b"{}", b'"', b"[1"])
def test_json_that_is_no_feed_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(SourceError):
        feed.parse(body, url=URL)


def test_json_of_the_wrong_types_gives_what_can_be_had() -> None:
    items = [
        {"id": True, "title": ["x"], "content_text": "kept", "tags": "not a list", "authors": "nobody", "image": {}},
        {"id": 1.5, "title": 3, "authors": [None, {"name": 4}], "attachments": [None, 1], "date_published": 5},
        None,
    ]
    first, second = feed.parse(json_feed(items=items, authors={}, language=[]), url=URL).items
    assert (first.content, first.tags, first.authors) == ("kept", (), ())
    assert (second.guid, second.title, second.authors) == ("1.5", "3", ("4",))


def test_authors_with_long_top_level_domains_keep_their_names() -> None:
    authors = ["desk@quay.technology (Nora Lind)", "Nora Lind &lt;n@quay.example&gt;", "n@quay.example"]
    items = "".join(f"<item><title>{n}</title><author>{author}</author></item>" for n, author in enumerate(authors))
    assert [item.authors for item in feed.parse(rss(items), url=URL).items] == [("Nora Lind",), ("Nora Lind",), ()]


def test_an_item_cut_off_in_the_middle_waits_for_its_whole_self() -> None:
    whole = rss("<item><title>A</title></item><item><title>B</title><link>https://a.example/b</link></item>")
    cut = whole[: whole.index(b"/b</link>")]
    assert [item.title for item in feed.parse(cut, url=URL).items] == ["A"]
