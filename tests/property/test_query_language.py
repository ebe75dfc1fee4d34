from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import QueryError
from dispatcher.text.document import Document, analyse
from dispatcher.text.folding import fold
from dispatcher.text.tokens import joined, tokenise
from dispatcher.topics.canonical import canonical
from dispatcher.topics.evaluate import score
from dispatcher.topics.explain import explain
from dispatcher.topics.index import Index
from dispatcher.topics.occurrence import prepare
from dispatcher.topics.parser import parse
from dispatcher.topics.syntax import And, Near, Node, Not, Or, Word

WORDS = ["wind", "winds", "price", "Énergie", "energie", "e-mail", "mail", "東京", "京", "C++", "Straße", "o’neill"]
LANGUAGES = ["", "en", "en-GB", "fr", "ja"]
QUERY_BITS = [*WORDS, "(", ")", '"', "„", "“", "«", "»", "-", "–", "*", "~3", "~", ":", " ", " ", "\n",
              "AND", "OR", "NOT", "title:", "tag:", "lang:en", "lang:", "author:", "ener*", "ti tel:x",
              "&", "ﷺ", "½"]  # fmt: skip

noise = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(QUERY_BITS), max_size=25).map("".join))
texts = st.lists(st.sampled_from([*WORDS, "filler", "of", "…", "。"]), max_size=12).map(" ".join)
names = st.lists(st.sampled_from(["wind", "Wind price", "énergie", "東京"]), max_size=3)
documents = st.builds(
    analyse,
    title=texts, summary=texts, body=texts, tags=names, authors=names, sources=names,
    language=st.sampled_from(LANGUAGES),
)  # fmt: skip

fields = st.sampled_from(["", "", "title:", "summary:", "body:", "tag:", "source:", "author:"])
word = st.sampled_from(WORDS)
leaf_texts = st.one_of(
    st.builds("{}{}".format, fields, word),
    st.builds('{}"{} {}"'.format, fields, word, word),
    st.builds('{}"{} filler {}"~{}'.format, fields, word, word, st.integers(0, 5)),
    st.builds("{}{}*".format, fields, st.sampled_from(["win", "ener", "stras", "東京都", "e-mail"])),
    st.sampled_from(["lang:en", "lang:fr", "*"]),
)
queries = st.recursive(
    leaf_texts,
    lambda inner: st.one_of(
        st.builds("({} {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("({} -{})".format, inner, inner),
        st.builds("({} NOT ({} {}))".format, inner, inner, inner),
        st.builds("title:({} OR {})".format, word, word),
    ),
    max_leaves=8,
)


@given(noise)
@settings(max_examples=100)
def test_no_text_raises_anything_but_a_query_error_that_points_into_it(text: str) -> None:
    error = refusal(text)
    if error:
        lines = text.splitlines() or [""]
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert error.with_caret().endswith("^")


def refusal(text: str) -> QueryError | None:
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


@given(noise, documents, st.sampled_from(LANGUAGES))
@settings(max_examples=100)
def test_whatever_parses_has_a_canonical_text_that_asks_the_same(text: str, document: Document, language: str) -> None:
    if not refusal(text):
        assert_same(parse(text), document, language)


@given(queries, documents, st.sampled_from(LANGUAGES))
@settings(max_examples=100)
def test_canonical_text_asks_the_same_and_is_a_fixed_point(text: str, document: Document, language: str) -> None:
    assert_same(parse(text), document, language)


def assert_same(node: Node, document: Document, language: str) -> None:
    text = canonical(node)
    assert canonical(parse(text)) == text
    assert score(parse(text), document, language) == score(node, document, language)


@given(queries, documents, st.sampled_from(LANGUAGES))
@settings(max_examples=100)
def test_the_tree_as_it_was_written_is_matched_by_plain_boolean_algebra(
    text: str, document: Document, language: str
) -> None:
    node = parse(text)
    found = score(node, document, language)
    assert (found is not None) == holds(node, document, language)
    assert found is None or found > 0


def holds(node: Node, document: Document, language: str) -> bool:
    match node:
        case And(children):
            return all(holds(child, document, language) for child in children)
        case Or(children):
            return any(holds(child, document, language) for child in children)
        case Not(child):
            return not holds(child, document, language)
        case _:
            return bool(prepare(node, language).find(document))


@given(st.lists(st.sampled_from("abcdef"), max_size=8), st.data())
@settings(max_examples=100)
def test_words_and_operators_agree_with_sets(words: list[str], data: st.DataObject) -> None:
    """An oracle that shares no code with us: Python's own boolean operators over a set of letters."""
    text, python = data.draw(st.recursive(
        st.sampled_from("abcdef").map(lambda letter: (letter, f"({letter!r} in there)")),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} {two[1][0]})", f"({two[0][1]} and {two[1][1]})")),
            st.tuples(inner, inner).map(lambda two: (f"({two[0][0]} OR {two[1][0]})", f"({two[0][1]} or {two[1][1]})")),
            inner.map(lambda one: (f"-{one[0]}" if one[0][0] != "-" else one[0], f"(not {one[1]})"
                                   if one[0][0] != "-" else one[1])),
        ),
        max_leaves=10,
    ))  # fmt: skip
    document = analyse(title="", summary="", body=" ".join(words))
    expected = eval(python, {"there": set(words)})
    assert (score(parse(f"* ({text})"), document, "") is not None) == expected


@given(st.lists(st.sampled_from("abcx"), max_size=12), st.sets(st.sampled_from("abc"), min_size=2), st.integers(0, 6))
@settings(max_examples=100)
def test_proximity_agrees_with_looking_at_every_window(words: list[str], wanted: set[str], distance: int) -> None:
    node = Near(" ".join(sorted(wanted)), distance)
    windows = (
        words[start:end] for start in range(len(words)) for end in range(start + 1, len(words) + 1)
        if end - start - len(wanted) <= distance
    )  # fmt: skip
    expected = any(wanted <= set(window) for window in windows)
    assert (score(node, analyse(title="", summary="", body=" ".join(words)), "") is not None) == expected


@given(st.text(max_size=40))
@settings(max_examples=100)
def test_folding_and_tokens_are_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    tokens = tokenise(text)
    assert all(0 <= token.start < token.end <= len(text) and token.word for token in tokens)
    for by in ("-", " "):
        again = tokenise(joined(tokens, by))
        assert [token.word for token in again] == [token.word for token in tokens]


@given(st.text(max_size=30), st.sampled_from(LANGUAGES))
@settings(max_examples=100)
def test_every_word_of_an_article_finds_it(text: str, language: str) -> None:
    document = analyse(title="", summary="", body=text, language=language)
    for token in tokenise(text):
        assert score(Word(joined([token])), document, language) is not None


@given(queries, documents, st.sampled_from(LANGUAGES))
@settings(max_examples=80)
def test_an_explanation_agrees_with_the_score_and_says_why_not(text: str, document: Document, language: str) -> None:
    answer = explain(text, document, language, article={})
    assert answer.score == score(parse(text), document, language)
    assert answer.matched == (answer.score is not None)
    assert answer.matched != bool(answer.missing or answer.forbidden)


@given(st.dictionaries(st.integers(1, 50), noise | queries, max_size=8), documents)
@settings(max_examples=100)
def test_the_index_agrees_with_asking_each_query(stored: dict[int, str], document: Document) -> None:
    index = Index()
    expected = {}
    for query_id, text in stored.items():
        index.add(query_id, text, "en")
        if query_id not in index.broken:
            expected[query_id] = score(parse(text), document, "en")
    assert len(index) + len(index.broken) == len(stored)
    hits = index.match(document)
    assert [(hit.query_id, hit.score) for hit in hits] == sorted(
        (query_id, found) for query_id, found in expected.items() if found is not None
    )
