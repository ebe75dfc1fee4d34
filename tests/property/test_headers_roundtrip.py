"""Whatever a title or a name is, its header is clean and reads back as it was."""

from __future__ import annotations

import email
import email.header
import email.policy
import email.utils
import re

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.digest import headers
from dispatcher.digest.addresses import AddressError, addr_spec
from dispatcher.digest.headers import HeaderError, one_line

awkward = st.sampled_from('aé漢🚲\u0301\u200d =?_"\\<>,@\r\n\t\x00.q')
anything = st.text(st.characters(), max_size=300) | st.text(awkward)
LOCALS = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}", fullmatch=True)
HOSTS = st.from_regex(r"[a-z0-9]{1,20}(\.[a-z0-9]{1,20}){1,3}", fullmatch=True)


def unfolded(header: str) -> str:
    """The value as RFC 2047 says to read it: encoded words joined, the rest as it stands."""
    value = re.sub(r"\r\n(?=[ \t])", "", header.partition(":")[2]).rstrip("\r\n").lstrip()
    return str(email.header.make_header(email.header.decode_header(value))) if value else ""


def is_clean(header: str) -> bool:
    """RFC 5322 §2: printable ASCII, folded within 78 columns, every further line begun by a blank and not empty."""
    lines = header.removesuffix("\r\n").split("\r\n")
    return (
        header.endswith("\r\n")
        and all(re.fullmatch(r"[ -~]{1,78}", line) for line in lines)
        and all(line.startswith(" ") and line.strip() for line in lines[1:])
    )


@given(anything)
def test_a_subject_reads_back_as_its_one_line(title: str) -> None:
    header = headers.text("Subject", title)
    assert is_clean(header)
    assert unfolded(header) == one_line(title)


@given(anything)
def test_a_display_name_reads_back_and_never_touches_the_address(name: str) -> None:
    header = headers.mailbox("To", name, "zoe@reader.example")
    assert is_clean(header)
    parsed = email.message_from_string(header + "\r\n", policy=email.policy.default)
    assert parsed.keys() == ["To"]
    (address,) = parsed["To"].addresses
    assert address.addr_spec == "zoe@reader.example"
    # Python's parser keeps the blank between two encoded words, which RFC 2047 §6.2 says is none: its own
    # header decoder, which does not, is asked for the exact words
    assert "".join(address.display_name.split()) == "".join(one_line(name).split())
    phrase = email.utils.parseaddr(re.sub(r"\r\n", "", header.removeprefix("To: ")))[0]
    assert str(email.header.make_header(email.header.decode_header(phrase))) == one_line(name)


@given(anything)
def test_one_line_is_one_line_and_doing_it_twice_changes_nothing(value: str) -> None:
    line = one_line(value)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]", line)
    assert line == line.strip()
    assert one_line(line) == line


@given(LOCALS, HOSTS)
def test_an_ascii_address_reads_back(local: str, host: str) -> None:
    header = headers.mailbox("To", "", f"{local}@{host}")
    (address,) = email.message_from_string(header + "\r\n", policy=email.policy.default)["To"].addresses
    assert (address.username, address.domain) == (local, host)


@given(anything | st.builds("{}@{}".format, anything, anything) | st.builds("{}@{}".format, LOCALS, anything))
def test_any_address_becomes_printable_ascii_or_is_refused(address: str) -> None:
    wire = _addr_spec(address)
    assert re.fullmatch(r"[!-~ ]+@[!-~]+|refused with 5\.\d\.\d", wire)
    assert len(wire) < 400


def _addr_spec(address: str) -> str:
    try:
        return addr_spec(address)
    except AddressError as error:
        return f"refused with {error.enhanced}"


@given(anything)
def test_any_protocol_value_is_clean_or_refused(value: str) -> None:
    try:
        header = headers.protocol("X-Thing", value)
    except HeaderError:
        return
    assert re.fullmatch(r"X-Thing: [!-~]+(\r?\n? [!-~]+)*\r\n", header)
    assert all(len(line) <= headers.HARD_LIMIT for line in header.splitlines())


@given(anything)
def test_a_list_id_stays_within_its_limit(name: str) -> None:
    header = headers.list_id(name, "lantern.news.example")
    assert is_clean(header)
    assert len(header) <= len("List-Id: ") + 255
    assert header.rstrip("\r\n").endswith("<lantern.news.example>")


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), st.binary(min_size=1))
def test_a_message_id_is_always_one_and_always_the_same(key: str, secret: bytes) -> None:
    made = headers.message_id(key, secret, "lantern.example")
    assert re.fullmatch(r"<[a-z2-7]{32}@lantern\.example>", made)
    assert made == headers.message_id(key, secret, "lantern.example")
