"""The index answers what asking each query by itself answers, whatever happened to it before."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_query_language import LANGUAGES, documents, names, noise, queries, texts

from dispatcher.errors import QueryError
from dispatcher.text.chunks import prepared, words_of
from dispatcher.text.document import Document, analyse
from dispatcher.text.tokens import tokenise
from dispatcher.topics.evaluate import Plan, compile_query
from dispatcher.topics.index import Index
from dispatcher.topics.parser import parse
from dispatcher.topics.snapshot import pack, unpack

LETTERS = st.sampled_from(["a", "L", "s", "1", " ", "_", "'", "’", "-", ".", "·", "/", ":", "+", "#", "\u0301",
                           "\u3099", "ﾞ", "\xad", "\u200b", "½", "ß", "İ", "東", "ガ", "ヺ", "한", "ᄀ", "ᅡ",
                           "の", "ไ", "ท", "。", "http://", "'s", "c++", "C#", "\u2028",
                           "\xa0", "\ud800", "𠀀"])  # fmt: skip

tricky = st.one_of(st.text(max_size=40), st.lists(LETTERS | st.characters(), max_size=30).map("".join))
Stored = Mapping[int, Plan]


def naive(stored: Stored, document: Document) -> list[tuple[int, float]]:
    scores = ((query_id, plan.score(document)) for query_id, plan in sorted(stored.items()))
    return [(query_id, score) for query_id, score in scores if score is not None]


def found(index: Index, document: Document) -> list[tuple[int, float]]:
    return [(hit.query_id, hit.score) for hit in index.match(document)]


def plan_of(text: str, language: str) -> Plan | None:
    try:
        return compile_query(parse(text), language)
    except QueryError:
        return None


@given(tricky)
@settings(max_examples=300)
def test_chunks_hold_the_words_of_the_whole_text(text: str) -> None:
    chunked = [(token.word, token.glued) for chunk in prepared(text).split() for token in words_of(chunk)]
    assert chunked == [(token.word, token.glued) for token in tokenise(text)]


stored_queries = st.tuples(st.integers(1, 12), noise | queries, st.sampled_from(LANGUAGES))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), stored_queries),
        st.tuples(st.just("remove"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["compact", "begin", "run", "finish", "forget", "restart"]), st.none()),
        st.tuples(st.just("match"), documents),
    ),
    max_size=30,
)


@given(steps, documents)
@settings(max_examples=200)
def test_any_order_of_changes_leaves_the_answers_right(steps: list[tuple[str, object]], last: Document) -> None:
    index = Index()
    stored: dict[int, Plan] = {}
    compaction = index.compaction()
    for step, given_ in [*steps, ("match", last)]:
        match step, given_:
            case "add", (int(query_id), str(text), str(language)):
                index.add(query_id, text, language)
                stored.pop(query_id, None)
                if plan := plan_of(text, language):
                    stored[query_id] = plan
                assert (query_id in index.broken) == (plan is None)
            case "remove", int(query_id):
                index.remove(query_id)
                stored.pop(query_id, None)
            case "compact", _:
                index.compact()
            case "begin", _:
                compaction = index.compaction()
            case "run", _:
                compaction.run()
            case "finish", _:
                index.finish(compaction)
            case "forget", _:
                index.forget()
            case "restart", _:
                index = restarted(index)
            case "match", Document() as document:
                assert found(index, document) == naive(stored, document)
        assert len(index) == len(stored)


def restarted(index: Index) -> Index:
    again = unpack(b"".join(pack(index)))
    assert again is not None
    again.broken.update(index.broken)
    return again


@given(st.lists(st.tuples(tricky | queries, st.sampled_from(LANGUAGES)), max_size=6), tricky, texts, names)
@settings(max_examples=200)
def test_queries_made_of_any_characters_agree_too(
    asked: list[tuple[str, str]], body: str, title: str, tags: list[str]
) -> None:
    index, stored = Index(), {}
    for query_id, (text, language) in enumerate([*asked, *((token.word, "en") for token in tokenise(body))]):
        index.add(query_id, text, language)
        if plan := plan_of(text, language):
            stored[query_id] = plan
    for language in LANGUAGES:
        document = analyse(title=title, summary=body, body=body, tags=tags, sources=[body], language=language)
        assert found(index, document) == naive(stored, document)
        index.compact()


WORLD = random.Random(6)
SPOKEN = ["", "en", "de", "fr", "es", "ru", "ja", "en-GB", "th"]
STEMS = ["wind", "price", "market", "energ", "natur", "run", "zeit", "maison", "precio", "вод", "город", "東京", "市場"]
ENDINGS = ["", "s", "ing", "ed", "en", "es", "ies", "y", "а", "ы", "の", "都"]
WORDS = [stem + ending for stem in STEMS for ending in ENDINGS]
RARE = [f"w{number}x" for number in range(300)]


def word(*, often: float = 0.6) -> str:
    chosen = WORLD.choice(WORDS if WORLD.random() < often else RARE)
    return WORLD.choice([chosen, chosen, chosen.capitalize(), f"{chosen}-{WORLD.choice(WORDS)}"])


def leaf() -> str:
    field = WORLD.choice([""] * 6 + ["title:", "summary:", "body:", "tag:", "source:", "author:"])
    kinds: list[Callable[[], str]] = [
        word,
        word,
        lambda: f'"{word()} {word()}"',
        lambda: f'"{word()} {word()} {word()}"',
        lambda: WORLD.choice(WORDS)[:4] + "*" if field else WORLD.choice(["ener*", "pric*", "natur*", "zeit-ma*"]),
        lambda: f'"{WORLD.choice(WORDS)} {WORLD.choice(RARE)} {WORLD.choice(STEMS)}"~{WORLD.randrange(30)}',
    ]
    return field + WORLD.choice(kinds)() if WORLD.random() < 0.93 else WORLD.choice(["lang:en", "lang:fr", "*"])


def query(depth: int = 2) -> str:
    if not depth or WORLD.random() < 0.2:
        return leaf()
    parts = [query(depth - 1) for _ in range(WORLD.choice((2, 2, 3, 4)))]
    joined = WORLD.choice([" ", " ", " OR "]).join(f"({part})" for part in parts)
    return f"({joined}) -{leaf()}" if WORLD.random() < 0.2 else joined


def article() -> Document:
    def text(length: int) -> str:
        return " ".join(word(often=0.8) + WORLD.choice(["", "", ",", ".", "’s", "…"]) for _ in range(length))

    return analyse(
        title=text(6), summary=text(15), body=text(90), language=WORLD.choice(SPOKEN),
        tags=[text(1) for _ in range(3)], authors=[text(2)], sources=[text(1)],
    )  # fmt: skip


def test_two_thousand_queries_agree_on_every_article() -> None:
    asked = {number: (query(), WORLD.choice(SPOKEN)) for number in range(2000)}
    index, stored = Index(), {}
    index.add_many((number, text, language) for number, (text, language) in asked.items() if number % 2)
    for number, (text, language) in asked.items():
        if not number % 2:
            index.add(number, text, language)
        if plan := plan_of(text, language):
            stored[number] = plan
    assert len(index) == len(stored) > 1500
    matches = 0
    for number in range(60):
        document = article()
        expected = naive(stored, document)
        assert found(index, document) == expected
        matches += len(expected)
        if number % 20 == 10:
            index.compact()
        if number % 20 == 15:
            index = restarted(index)
        for query_id in WORLD.sample(sorted(stored), 5):
            index.remove(query_id)
            del stored[query_id]
    assert matches > 60 * 50


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000 + "wind" + ")" * 50_000,
        "(" * 30 + "wind" + ")" * 30,
        " OR ".join(f"({' OR '.join(f'w{i}x{j}' for j in range(10))})" for i in range(10)),
        " ".join(f"({' OR '.join(f'w{i}x{j}' for j in range(10))})" for i in range(3)),
        " ".join(f"(wind OR (a{i} -(b{i} OR (c{i} d{i}))))" for i in range(20)),
        " OR ".join(f"abc{i}*" for i in range(10_000)),
        " OR ".join(f"abc{i}*" for i in range(250)),
        "-" * 1000 + "wind",
        '"' + "wind " * 3000 + '"',
        '"' + " ".join(f"w{i}" for i in range(60)) + '"~100',
    ],
)  # fmt: skip
def test_an_attack_is_refused_or_answered_rightly(text: str) -> None:
    index = Index()
    index.add(1, text, "en")
    plan = plan_of(text, "en")
    assert (1 in index) == (plan is not None)
    assert (1 in index.broken) == (plan is None)
    body = "wind w0x1 w1x2 w2x3 a3 abc17 " + " ".join(f"w{i}" for i in range(60))
    document = analyse(title="", summary="", body=body, language="en")
    assert found(index, document) == (naive({1: plan}, document) if plan else [])
    assert len(index.features) < 1000


CHURNED = [f'{one}{more}' for one in ("wind", "sun", '"wind sun"', "title:sun", "ener*", '"sun wind"~3')
           for more in ("", " -coal", " OR coal", " (oil OR (gas coal))", " lang:en")]  # fmt: skip
READ = [analyse(title=title, summary="", body=body, language=language)
        for title in ("", "Suns") for body in ("wind", "coal wind sun", "oil energy sun", "gas winds coal energies")
        for language in ("en", "")]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_long_churn_leaves_the_answers_right(seed: int) -> None:
    """Slots, signs and features are used again; compactions overlap with everything."""
    draw, index = random.Random(seed), Index()
    stored: dict[int, Plan] = {}
    compaction = index.compaction()
    for _ in range(120):
        step = draw.choice(["add"] * 6 + ["remove"] * 5 + ["begin", "run", "finish", "finish", "compact", "forget"])
        query_id, text = draw.randrange(8), draw.choice(CHURNED)
        if step == "add":
            index.add(query_id, text, "en")
            stored[query_id] = compile_query(parse(text), "en")
        elif step == "remove":
            index.remove(query_id)
            stored.pop(query_id, None)
        elif step == "begin":
            compaction = index.compaction()
        elif step == "run":
            compaction.run()
        elif step == "finish":
            index.finish(compaction)
        elif step == "compact":
            index.compact()
        else:
            index.forget()
        document = draw.choice(READ)
        assert found(index, document) == naive(stored, document)
