"""Who takes a domain's mail: asked of a real DNS server, beside the work."""

from __future__ import annotations

from dns_server import dns_server

from dispatcher.delivery.exchangers import Exchangers
from dispatcher.delivery.selector import Server
from dispatcher.model.providers import by_exchanger

RECORDS = {
    "hosted.example": ["10 backup.example.net.", "5 ASPMX.L.Google.com."],
    "firm.example": ["0 firm-example.mail.protection.outlook.com."],
}


def asked(address: str) -> tuple[Exchangers, list[str]]:
    host, _, port = address.partition(":")
    learnt: list[str] = []
    return Exchangers(learnt.append, Server(host, int(port))), learnt


async def test_what_is_not_known_is_looked_up_meanwhile_and_told() -> None:
    with dns_server(RECORDS) as address:
        exchangers, learnt = asked(address)
        assert exchangers.of("hosted.example") == exchangers.of("firm.example") == ""
        await exchangers.settled()
        assert sorted(learnt) == ["firm.example", "hosted.example"]
        assert by_exchanger(exchangers.of("hosted.example")) == "gmail"
        assert by_exchanger(exchangers.of("firm.example")) == "microsoft"
    assert exchangers.of("firm.example"), "it is remembered"
    assert not exchangers._askers


async def test_a_domain_that_is_not_there_or_cannot_be_asked_for_is_itself_and_not_asked_for_again() -> None:
    with dns_server(RECORDS) as address:
        exchangers, learnt = asked(address)
        for _ in range(2):
            assert exchangers.of("nowhere.example") == exchangers.of("a..b") == exchangers.of("x" * 300) == ""
            await exchangers.settled()
        assert not learnt
    with dns_server(RECORDS, fails=True) as address:
        exchangers, learnt = asked(address)
        assert exchangers.of("hosted.example") == ""
        await exchangers.settled()
        assert (exchangers.of("hosted.example"), learnt) == ("", [])


async def test_a_hundred_domains_are_asked_for_a_few_at_a_time() -> None:
    records = {f"d{n}.example": [f"10 mx{n}.example."] for n in range(100)}
    with dns_server(records) as address:
        exchangers, learnt = asked(address)
        for domain in records:
            exchangers.of(domain)
        assert len(exchangers._askers) == 8
        await exchangers.settled()
        assert set(learnt) == set(records)
