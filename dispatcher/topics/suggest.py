"""Suggestions: what would make a good query, from an article or a word and the articles that are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

from dispatcher.text.document import Document, Passage
from dispatcher.text.language import primary
from dispatcher.text.phrases import Phrase, Place, occurs, phrases, texts
from dispatcher.text.stems import algorithm, stem
from dispatcher.text.tokens import tokenise
from dispatcher.topics.evaluate import compile_query
from dispatcher.topics.explain import Blame, blame
from dispatcher.topics.parser import parse
from dispatcher.topics.syntax import And, Leaf, Node, Not, Or, leaves

MOST = 10
_COMMON = 0.15  # of the articles in a language; what stands in more of them is what all articles are made of
_ENOUGH = 20  # articles; of fewer nobody can tell what is common
_MOST_WORDS = 3000  # of an article, from its start
_CAPITALS = 1.5  # what it is worth that all words of a phrase are written like a name's


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A phrase as somebody would query for it, and in how many of the stored articles it stands."""

    query: str
    articles: int


@dataclass(frozen=True, slots=True)
class WordFound:
    """A word's inflections and the phrases it stands in, each with the number of articles that have it."""

    inflections: tuple[Suggestion, ...]
    phrases: tuple[Suggestion, ...]


def telling(article: Document, stored: Sequence[Document], *, most: int = MOST) -> list[Suggestion]:
    """The phrases that tell an article from the stored ones: frequent here, rare there, names first."""
    near = [other for other in stored if other.language == article.language]
    held = [[passage for _, passage in texts(other)] for other in near]
    common = _common_words(held)
    counts: Counter[Phrase] = Counter()
    names: set[Phrase] = set()
    for number, (text, passage) in enumerate(texts(article)):
        for phrase, place in phrases(text, _start(passage)):
            if _is_sound(phrase, common):
                counts[phrase] += 3 if number == 0 else 1
                if _is_name(place, passage):
                    names.add(phrase)
    # The few that could win, before the stored articles are asked about them.
    likely = sorted(counts, key=lambda phrase: (-counts[phrase] * len(phrase.words), phrase.text))[:300]
    often = {phrase: sum(any(occurs(phrase, passage) for passage in one) for one in held) for phrase in likely}

    def worth(phrase: Phrase) -> float:
        rare = log(1 + (len(near) + 1) / (often[phrase] + 1))
        size = 1 + log(_size(phrase)) / 2
        return (1 + log(counts[phrase])) * rare * size * (_CAPITALS if phrase in names else 1.0)

    ranked = sorted(likely, key=lambda phrase: (-round(worth(phrase), 6), phrase.text))
    return [Suggestion(_query(phrase), often[phrase]) for phrase in _apart(ranked, most)]


def nearly(queries: Mapping[int, tuple[str, str]], document: Document) -> dict[int, Blame]:
    """Which of these queries (text and language by id) the article fails by one part only, and by which."""
    found: dict[int, Blame] = {}
    for query_id, (text, language) in queries.items():
        plan = compile_query(parse(text), language)
        hits = {leaf for leaf, probe in plan.probes.items() if probe.find(document)}
        lack = _lack(plan.node, hits)
        if lack is not None:
            found[query_id] = lack
    return found


def around(word: str, language: str, stored: Iterable[Document], *, most: int = MOST) -> WordFound:
    """The inflections of a word of this language that the stored articles have, and the phrases it stands in."""
    by = algorithm(primary(language))
    wanted = [stem(token.word, by) for token in tokenise(word)]
    near = [document for document in stored if document.stemmed_by == by]
    held = [texts(document) for document in near]
    common = _common_words([[passage for _, passage in one] for one in held])
    forms: Counter[str] = Counter()
    company: Counter[Phrase] = Counter()
    for one in held:
        here = [found for text, passage in one for found in _around(text, passage, wanted)]
        forms.update({phrase.text for phrase in here if len(phrase.words) == len(wanted)})
        company.update({phrase for phrase in here if len(phrase.words) > len(wanted)})
    sound = [phrase for phrase in company if _is_sound(phrase, common - set(forms))]
    sound.sort(key=lambda phrase: (-company[phrase], -len(phrase.words), phrase.text))
    inflections = sorted(forms, key=lambda form: (-forms[form], form))[:most]
    return WordFound(
        tuple(Suggestion(form, forms[form]) for form in inflections),
        tuple(Suggestion(_query(phrase), company[phrase]) for phrase in _apart(sound, most, company)),
    )


def _around(text: str, passage: Passage, wanted: Sequence[str]) -> Iterator[Phrase]:
    """The phrases of a text in which these stems stand one behind the other."""
    if not wanted or wanted[0] not in passage.stems:
        return
    size = len(wanted)
    for phrase, place in phrases(text, passage):
        stems = list(passage.stem_at[place.first : place.end])
        if any(stems[at : at + size] == wanted for at in range(len(stems) - size + 1)):
            yield phrase


def _lack(node: Node, hits: set[Leaf]) -> Blame | None:
    """The one part by which a query, or one of its alternatives, is missed; None if it matches or lacks more."""
    lack = blame(node, hits)
    if lack == Blame():
        return None
    if isinstance(node, Or):
        return next((found for child in node.children if (found := _lack(child, hits)) is not None), None)
    is_one = len(lack.missing) + len(lack.forbidden) == 1
    return lack if is_one and isinstance(node, And) and _has_something(node, hits) else None


def _has_something(node: And, hits: set[Leaf]) -> bool:
    """Whether a part that is looked for, rather than left out, was found."""
    return any(leaf in hits for child in node.children if not isinstance(child, Not) for leaf in leaves(child))


def _common_words(held: Sequence[Sequence[Passage]]) -> set[str]:
    """The words that stand in a good part of these articles."""
    often = Counter(word for one in held for word in {word for passage in one for word in passage.words})
    least = max(_ENOUGH * _COMMON, len(held) * _COMMON)
    return {word for word, count in often.items() if count > least}


def _start(passage: Passage) -> Passage:
    if len(passage.tokens) <= _MOST_WORDS:
        return passage
    return Passage(passage.tokens[:_MOST_WORDS], passage.word_at[:_MOST_WORDS], {}, (), {})


def _is_sound(phrase: Phrase, common: set[str]) -> bool:
    """Whether a phrase begins and ends with words that say something."""
    if any(phrase.glued):
        return all(phrase.glued[1:]) and len(phrase.words) > 1
    ends = phrase.words[0], phrase.words[-1]
    return all(len(word) > 2 and not word.isdigit() and word not in common for word in ends)


def _is_name(place: Place, passage: Passage) -> bool:
    """Whether all words begin with a capital, within a sentence, where not every word does."""
    tokens = passage.tokens[place.first : place.end]
    before = place.text[: tokens[0].start].rstrip(" \"'\u201c\u201e\u00ab(")
    is_inside = bool(before) and before[-1] not in ".!?:\n\u2026"
    return is_inside and all(place.text[token.start].isupper() for token in tokens)


def _size(phrase: Phrase) -> int:
    return len(phrase.words) - (any(phrase.glued) and 1)


def _query(phrase: Phrase) -> str:
    return phrase.text if len(phrase.words) == 1 else f'"{phrase.text}"'


def _apart(ranked: Sequence[Phrase], most: int, counts: Counter[Phrase] | None = None) -> list[Phrase]:
    """The first of them, without those that hold or are held in an earlier one that says as much."""
    chosen: list[Phrase] = []
    for phrase in ranked:
        overlapping = [one for one in chosen if _holds(one, phrase) or _holds(phrase, one)]
        if not any(counts is None or counts[one] == counts[phrase] for one in overlapping):
            chosen.append(phrase)
        if len(chosen) == most:
            break
    return chosen


def _holds(longer: Phrase, shorter: Phrase) -> bool:
    size = len(shorter.words)
    starts = range(len(longer.words) - size + 1)
    return any(longer.words[at : at + size] == shorter.words for at in starts)
