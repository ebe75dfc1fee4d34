"""The oracle: Python's own email package parses every message, and says what we said, field by field."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st
from test_message_standards import content, envelope, newsletter, parsed, wire_of

from dispatcher.digest.assembly import assemble
from dispatcher.digest.headers import one_line
from dispatcher.model.content import Story

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
NAMES = st.one_of(
    st.text(max_size=40).filter(str.isprintable), st.sampled_from(["", "Zoë", "O'Neill, Pat", '"Q"', "李雷"])
)
LOCAL = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9+_-]{1,8})?", fullmatch=True)
DOMAINS = st.sampled_from(["reader.example", "bücher.example", "sub.domain.example", "例え.example"])


def by_the_book(subject: str, name: str, recipient: str, text: str, html: str) -> EmailMessage:
    """What email.message would have built of the same parts."""
    made = EmailMessage(policy=email.policy.SMTP)
    made["Subject"] = subject
    made["To"] = email.headerregistry.Address(name, addr_spec=recipient)
    made.set_content(text, cte="quoted-printable")
    made.add_alternative(html, subtype="html", cte="quoted-printable")
    return email.message_from_bytes(made.as_bytes(), policy=email.policy.default)  # type: ignore[return-value]


@given(title=TEXT, summary=TEXT, name=NAMES, paper=TEXT, local=LOCAL, domain=DOMAINS)
def test_a_message_says_what_email_message_would_have_said(
    title: str, summary: str, name: str, paper: str, local: str, domain: str
) -> None:
    story = Story(title, "https://gazette.example/1", summary, paper)
    recipient = f"{local}@{domain}"
    wire = wire_of(content(story), newsletter(name=paper.strip() or "Gazette"))
    raw = assemble(wire, envelope(recipient, name))
    found = parsed(raw)
    assert not [defect for part in found.walk() for defect in part.defects]
    assert not email.message_from_bytes(raw).defects
    text, html = found.get_body(("plain",)), found.get_body(("html",))
    assert text is not None
    assert html is not None
    ascii_recipient = f"{local}@{domain.encode('idna').decode()}"
    book = by_the_book(str(found["Subject"]), one_line(name), ascii_recipient, text.get_content(), html.get_content())
    assert str(found["Subject"]) == str(book["Subject"])
    assert found["To"].addresses[0].addr_spec == book["To"].addresses[0].addr_spec == ascii_recipient
    assert found["To"].addresses[0].display_name.split() == book["To"].addresses[0].display_name.split()
    for kind in ("plain", "html"):
        ours, theirs = found.get_body((kind,)), book.get_body((kind,))
        assert ours is not None
        assert theirs is not None
        assert ours.get_content().split() == theirs.get_content().split()
        assert ours.get_content_charset() == theirs.get_content_charset() == "utf-8"


@given(name=st.text(max_size=60), title=st.text(max_size=200))
def test_whatever_a_name_or_title_holds_one_clean_message_comes_out(name: str, title: str) -> None:
    raw = assemble(wire_of(content(Story(title, "https://g.example/1"))), envelope(name=name))
    found = parsed(raw)
    assert raw.isascii()
    assert len(list(found.iter_parts())) == 2
    assert len(found["To"].addresses) == 1
    assert not any(line.startswith(b".") for line in raw.split(b"\r\n"))


@given(names=st.lists(NAMES, min_size=2, max_size=4))
def test_what_readers_share_is_the_same_bytes_for_all_of_them(names: list[str]) -> None:
    wire = wire_of(content())
    letters = [assemble(wire, envelope(f"r{n}@reader.example", name)) for n, name in enumerate(names)]
    story = [raw.count(b"https://gazette.example/1") for raw in letters]
    assert len(set(story)) == 1
