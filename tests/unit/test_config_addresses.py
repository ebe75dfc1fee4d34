from __future__ import annotations

import pytest

from dispatcher.config import addresses, urls
from dispatcher.config.settings import MailSettings


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("news@harbour.example", "", "news@harbour.example"),
        ("Newsletter <newsletter@localhost>", "Newsletter", "newsletter@localhost"),
        ("Møller & Co. <news@harbour.example>", "Møller & Co.", "news@harbour.example"),
        ("The Harbour, Weekly <news@Harbour.Example>", "The Harbour, Weekly", "news@harbour.example"),
        (r'"Ann \"Anchor\" Lee" <ann@mail.test>', 'Ann "Anchor" Lee', "ann@mail.test"),
        ("港口 <news@例え.example>", "港口", "news@例え.example"),
    ],
)
def test_a_mailbox_is_taken_apart_whether_its_name_is_quoted_or_not(text: str, name: str, address: str) -> None:
    assert addresses.mailbox(text) == (name, address)


@pytest.mark.parametrize("name", ["Harbour News", "Lee, Ann", 'The "Quay"', "back\\slash", "Jörg", "a.b"])
def test_a_mailbox_written_in_normal_form_is_read_back_the_same(name: str) -> None:
    box = addresses.Mailbox(name, "news@harbour.example")
    assert addresses.mailbox(str(box)) == box


@pytest.mark.parametrize("text", ["", "news", "<>", "a <b", "a@b.example, c@d.example", "x@y.example <z@y.example>"])
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (one mailbox|an e-mail address)"):
        addresses.mailbox(text)


@pytest.mark.parametrize("text", ["root@localhost", "ann@nas.local", "ann@shop.test", "jörg@harbour.example"])
def test_addresses_of_home_networks_tests_and_other_scripts_are_taken(text: str) -> None:
    assert addresses.reader_email(text) == text


def test_the_list_identifier_follows_the_sender_unless_one_is_given() -> None:
    assert MailSettings(sender="News <Daily+News@Harbour.example>").list_label == "daily-news.harbour.example"
    assert MailSettings(sender="n@häfen.example").list_label == "n.xn--hfen-loa.example"
    assert MailSettings(list_id="<tides.harbour.example>").list_label == "tides.harbour.example"


@pytest.mark.parametrize(
    "text",
    [
        "https://harbour.example/feed.xml",
        "http://[::1]:8000/feed",
        "file:///srv/feed.xml",
        "file:feed.xml",
        "articles",
        "./harbour.example/feed",
        "/srv/articles",
        "~/articles",
    ],
)
def test_a_source_is_a_web_address_a_file_url_or_a_folder(text: str) -> None:
    assert urls.source_url(text) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://harbour.example:8443/@crew", "https://harbour.example:8443/@crew"),
        ("https://ann:s3cret@harbour.example/@crew", "https://ann:******@harbour.example/@crew"),
        ("postgresql://ann:s3/c#ret@db/quay", "postgresql://ann:******@db/quay"),
        ("postgresql://db/quay?user=ann&password=s3cret&sslmode=require", "postgresql://db/quay?user=ann&password=******&sslmode=require"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert urls.masked(url) == shown


def test_a_password_with_any_character_fits_into_a_database_url() -> None:
    assert urls.with_password("postgresql://ann@db:5432/quay", "p@ss/w:rd%") == (
        "postgresql://ann:p%40ss%2Fw%3Ard%25@db:5432/quay"
    )
