"""Which relay takes which message: rules, priorities, weights."""

from __future__ import annotations

from collections import Counter

import pytest

from dispatcher.delivery.routing import Duty, Routing, draw

FROM = "news@quay.example"


def _first(*duties: Duty, sender: str = FROM, to: str = "ann@harbour.example") -> list[int]:
    return list(Routing(duties).order(sender, to))


def test_the_lower_priority_goes_first() -> None:
    assert _first(Duty(priority=3), Duty(priority=1), Duty(priority=2)) == [1, 2, 0]


def test_a_relay_whose_rules_fit_goes_before_those_without_whatever_its_priority() -> None:
    assert _first(Duty(), Duty(priority=9, only_to=("harbour.example",))) == [1, 0]


def test_a_relay_with_rules_takes_no_other_mail() -> None:
    duties = (Duty(only_to=("harbour.example",)), Duty(only_from=("pier.example",)), Duty())
    assert _first(*duties) == [0, 2]
    assert _first(*duties, to="ann@else.example") == [2]
    assert _first(*duties[:2], to="ann@else.example") == []


def test_both_rules_have_to_fit() -> None:
    duty = Duty(only_to=("harbour.example",), only_from=("quay.example",))
    assert _first(duty) == [0]
    assert _first(duty, sender="news@pier.example") == _first(duty, to="ann@else.example") == []


@pytest.mark.parametrize(
    ("pattern", "domain", "fits"),
    [
        ("harbour.example", "harbour.example", True),
        ("harbour.example", "HARBOUR.Example", True),
        ("harbour.example", "old.harbour.example", False),
        ("harbour.example", "newharbour.example", False),
        ("*.harbour.example", "old.harbour.example", True),
        ("*.harbour.example", "very.old.harbour.example", True),
        ("*.harbour.example", "harbour.example", False),
        ("*.harbour.example", "newharbour.example", False),
        ("xn--hfen-loa.example", "häfen.example", True),
        ("*.example", "häfen.example", True),
    ],
)
def test_a_rule_for_recipients_is_a_domain_or_all_below_one(pattern: str, domain: str, fits: bool) -> None:
    assert _first(Duty(only_to=(pattern,)), to=f"ann@{domain}") == ([0] if fits else [])


@pytest.mark.parametrize(
    ("pattern", "sender", "fits"),
    [
        ("quay.example", "anybody@quay.example", True),
        ("*.quay.example", "anybody@old.quay.example", True),
        ("news@quay.example", "News@Quay.example", True),
        ("news@quay.example", "alerts@quay.example", False),
        ("news@quay.example", "news+ann=harbour.example@quay.example", True),
        ("quay.example", "", False),
    ],
)
def test_a_rule_for_senders_is_a_domain_or_an_address_whose_tags_do_not_matter(
    pattern: str, sender: str, fits: bool
) -> None:
    assert _first(Duty(only_from=(pattern,)), sender=sender) == ([0] if fits else [])


@pytest.mark.parametrize("recipient", ["", "no-domain", "ann@", "ann@\udcff.example", "ann@" + "ä" * 80 + ".example"])
def test_what_is_no_address_is_somebody_elses_matter(recipient: str) -> None:
    assert _first(Duty(only_to=("harbour.example",)), Duty(), Duty(), to=recipient) in ([1, 2], [2, 1])


def test_relays_share_by_weight() -> None:
    routing = Routing([Duty(weight=6), Duty(weight=3), Duty(weight=1)])
    orders = Counter(tuple(routing.order(FROM, f"reader{n}@harbour.example")) for n in range(6000))
    firsts = Counter[int]()
    for order, count in orders.items():
        firsts[order[0]] += count
    assert [round(firsts[relay] / 6000, 1) for relay in range(3)] == [0.6, 0.3, 0.1]
    # of the share of the first, two thirds to each of the others, by their weights
    assert orders[0, 1, 2] / firsts[0] == pytest.approx(0.75, abs=0.05)


def test_an_address_always_takes_the_same_relay() -> None:
    duties = [Duty(), Duty()]
    readers = [f"reader{n}@harbour.example" for n in range(50)]
    orders = [Routing(duties).order(FROM, reader) for reader in readers]
    assert orders == [Routing(duties).order(FROM, reader) for reader in readers]


def test_only_the_share_of_a_relay_that_fails_moves() -> None:
    relays, weights = (0, 1, 2), (5, 3, 2)
    for lot in (n / 1000 for n in range(1000)):
        first, second, third = draw(relays, weights, lot)
        assert {first, second, third} == set(relays)
    moved = Counter(order[1] for n in range(1000) if (order := draw(relays, weights, n / 1000))[0] == 0)
    assert moved[1] / 500 == pytest.approx(0.6, abs=0.01)


def test_what_was_found_out_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.delivery.routing.MOST_REMEMBERED", 10)
    routing = Routing([Duty(only_to=("harbour.example",)), Duty()])
    for n in range(100):
        assert list(routing.order(FROM, f"ann@d{n}.example")) == [1]
    assert list(routing.order(FROM, "ann@harbour.example")) == [0, 1]
    assert len(routing._known) <= 10
