"""What a reader would expect: query, article, answer, and why. Articles are invented."""

from __future__ import annotations

from functools import cache

import pytest

from dispatcher.text.document import Document, analyse
from dispatcher.topics.evaluate import score
from dispatcher.topics.parser import parse

ARTICLES: dict[str, dict[str, object]] = {
    "en": {
        "title": "Energy prices fall as O’Neill’s wind farm opens",
        "summary": "The North Sea park delivers 3.5 gigawatts, says Jane O’Neill.",
        "body": "Electricity became cheaper on Tuesday. Consumers in Łódź and São Paulo will not notice: "
        "state-of-the-art cables, an e-mail hotline (help@grid.example) and the C++ software were paid in 2025. "
        "Read more at https://www.grid.example/wind-park?id=7 or ask @gridnews, #offshore.",
        "tags": ["Wind Power", "Économie"],
        "authors": ["Jane O’Neill", "Bob Stone"],
        "sources": ["Daily Express", "Grid Watch"],
        "language": "en-GB",
    },
    "de": {
        "title": "Strompreise: Häuser am Fluß werden günstiger beheizt",
        "summary": "Die Wärmepumpen laufen mit Ökostrom.",
        "body": "In Größe und Preis unterscheiden sich die Anlagen. „Gut so“, sagt die Ministerin.",
        "tags": ["Energie"],
        "language": "de",
    },
    "fr": {
        "title": "L’énergie nucléaire divise les élus",
        "summary": "Les élections générales approchent.",
        "body": "Aujourd’hui, l’Assemblée a débattu des œuvres d’art volées.",
        "language": "fr-FR",
    },
    "es": {
        "title": "Las canciones del año",
        "summary": "",
        "body": "¿Qué políticas culturales prometió el gobierno?",
        "language": "es",
    },
    "ru": {"title": "Ёлки и новые цены", "summary": "", "body": "В городах растут цены на ёлки.", "language": "ru"},
    "ja": {
        "title": "東京都が新しい発電所を計画",
        "summary": "",
        "body": "ﾃﾞｰﾀｾﾝﾀｰの電力。京。都市",
        "language": "ja",
    },
    "zh": {"title": "北京大学研究人工智能", "summary": "", "body": "", "language": "zh-Hans"},
    "th": {"title": "รัฐบาลไทยประกาศราคาน้ำมัน", "summary": "", "body": "", "language": "th"},
    "ko": {"title": "서울에서 열린 회의", "summary": "", "body": "", "language": "ko"},
    "tr": {"title": "IRMAK kıyısında İSTANBUL", "summary": "", "body": "Fiyatlar yükseliyor.", "language": "tr"},
    "ar": {"title": "الطاقةُ في المدينة", "summary": "", "body": "", "language": "ar"},
    "??": {"title": "Prices of houses", "summary": "", "body": "", "language": ""},
}
YES, NO = True, False

PAIRS = [
    # words
    ("energy", "en", "en", YES, "a word of the title"),
    ("ENERGY", "en", "en", YES, "case does not count"),
    ("énergy", "en", "en", YES, "nor do accents, on either side"),
    ("price", "en", "en", YES, "a stem: prices"),
    ("pricing", "en", "en", YES, "a stem again"),
    ("price", "de", "en", NO, "stems need query and article in one language"),
    ("prices", "de", "en", YES, "compared folded, the word is there"),
    ("price", "en", "??", NO, "an article of unknown language is compared folded"),
    ("prices", "en", "??", YES, "and there the word is"),
    ("price", "", "en", NO, "a query of unknown language is compared folded"),
    ("consumer", "en-US", "en", YES, "en-US and en-GB are one language"),
    ("ner", "en", "en", NO, "a part of a word is not the word"),
    ("lodz", "en", "en", YES, "ł and ź fold"),
    ("Sao Paulo", "en", "en", YES, "ã folds"),
    ("wind", "en", "en", YES, "found in title and tag"),
    ("economie", "en", "en", YES, "found in a tag only: leaves look at tags"),
    ("express", "en", "en", NO, "source names are asked with source:"),
    ("stone", "en", "en", NO, "authors are asked with author:"),
    ("*", "en", "en", YES, "everything"),
    # what words are made of
    ("e-mail", "en", "en", YES, "a hyphenated word is its parts in sequence"),
    ("email", "en", "en", NO, "written without hyphen it is another word"),
    ('"e mail"', "en", "en", YES, "a hyphen is a blank"),
    ("mail-e", "en", "en", NO, "the sequence counts"),
    ("o'neill", "en", "en", YES, "typewriter and typographic apostrophe are one"),
    ("neill", "en", "en", YES, "the parts are words"),
    ("oneill", "en", "en", NO, "an apostrophe separates"),
    ("c++", "en", "en", YES, "C++ is a word"),
    ("c", "en", "en", NO, "and not the word C"),
    ("3.5", "en", "en", YES, "digits in sequence"),
    ("3,5", "en", "en", YES, "a decimal comma is a decimal point"),
    ("5.3", "en", "en", NO, "another number"),
    ("#offshore", "en", "en", YES, "a hashtag"),
    ("offshore", "en", "en", YES, "the # is not part of the word"),
    ("@gridnews", "en", "en", YES, "a name"),
    ("help@grid.example", "en", "en", YES, "an address"),
    ("grid.example", "en", "en", YES, "a host, within address and URL"),
    ("http://www.grid.example/wind-park", "en", "en", YES, "the scheme of a URL does not count"),
    ("http://grid.example/other", "en", "en", NO, "another page"),
    ("state-of-the-art", "en", "en", YES, "a long compound"),
    # phrases and proximity
    ('"wind farm"', "en", "en", YES, "in sequence in the title"),
    ('"wind farms"', "en", "en", NO, "phrases are not stemmed"),
    ('"farm wind"', "en", "en", NO, "the sequence counts"),
    ('"price"', "en", "en", NO, "a quoted word is exact"),
    ('"prices"', "en", "en", YES, "and this is the one"),
    ('"opens the"', "en", "en", NO, "title and summary are two texts"),
    ("„Wind Farm“", "en", "en", YES, "typographic quotes"),
    ('"neill wind farm"', "en", "en", YES, "a possessive 's is no word"),
    ('"energy wind"~5', "en", "en", YES, "prices fall as O Neill: five words between"),
    ('"energy wind"~4', "en", "en", NO, "four are not enough"),
    ('"wind energy"~5', "en", "en", YES, "in any order"),
    ('"price wind energy"~4', "en", "en", YES, "the words themselves do not count as between; prices is stemmed"),
    ('"energy electricity"~100', "en", "en", NO, "within one text"),
    # prefixes
    ("electr*", "en", "en", YES, "electricity"),
    ("lod*", "en", "en", YES, "folded: Łódź"),
    ("tricity*", "en", "en", NO, "only beginnings"),
    ("wind-far*", "en", "en", YES, "the last part is the prefix"),
    # operators
    ("energy sport", "en", "en", NO, "a blank is AND"),
    ("energy OR sport", "en", "en", YES, "one is enough"),
    ("sport OR energy wind", "en", "en", YES, "AND binds closer than OR"),
    ("(sport OR energy) football", "en", "en", NO, "football is missing"),
    ("energy -sport", "en", "en", YES, "no sport there"),
    ("energy –wind", "en", "en", NO, "a typographic dash excludes too"),
    ("energy NOT wind", "en", "en", NO, "the same in words"),
    ("energy -(sport OR wind)", "en", "en", NO, "one of the excluded is there"),
    ("energy -(sport wind)", "en", "en", YES, "not both of the excluded are there"),
    ("* -sport", "en", "en", YES, "everything but sport"),
    ("* -wind", "en", "en", NO, "and this one is excluded"),
    ("energy and wind", "en", "en", YES, "lower-case and is a word, which the body has"),
    # fields
    ("title:wind", "en", "en", YES, "in the title"),
    ("title:electricity", "en", "en", NO, "only in the body"),
    ("body:electricity", "en", "en", YES, "there"),
    ("summary:gigawatt", "en", "en", YES, "stemmed in fields too"),
    ("title:(price farm)", "en", "en", YES, "a group takes the field"),
    ("title:(price electricity)", "en", "en", NO, "for each of its words"),
    ('title:"wind farm"', "en", "en", YES, "a phrase takes a field"),
    ('title:"farm energy"~6', "en", "en", YES, "so does a proximity"),
    ("title:pric*", "en", "en", YES, "and a prefix"),
    ("-title:sport energy", "en", "en", YES, "a field can be excluded"),
    ("tag:wind-power", "en", "en", YES, "a whole tag, hyphen for blank"),
    ('tag:"WIND power"', "en", "en", YES, "or quoted"),
    ("tag:wind", "en", "en", NO, "not a part of a tag"),
    ("tag:wind*", "en", "en", YES, "a prefix of a tag"),
    ("tag:economie", "en", "en", YES, "tags fold"),
    ("source:daily-express", "en", "en", YES, "the first source"),
    ('source:"grid watch"', "en", "en", YES, "the second source"),
    ("source:daily", "en", "en", NO, "not a part of a source's name"),
    ("source:(other OR grid-watch)", "en", "en", YES, "a group of sources"),
    ("author:o'neill", "en", "en", YES, "a part of an author's name"),
    ('author:"jane o’neill"', "en", "en", YES, "the whole name"),
    ('author:"jane stone"', "en", "en", NO, "two authors' names are two texts"),
    ("author:(jane stone)", "en", "en", YES, "but both are authors"),
    ("author:stones", "en", "en", NO, "names are not stemmed"),
    ("lang:en", "de", "en", YES, "the primary subtag"),
    ("lang:en-US", "de", "en", YES, "regions do not count"),
    ("lang:de", "en", "en", NO, "another language"),
    ("* -lang:en", "en", "de", YES, "anything but English"),
    ("* -lang:en", "en", "??", YES, "unknown is not English"),
    # German
    ("haus", "de", "de", YES, "Häuser has the stem haus"),
    ("hauser", "en", "de", YES, "folded: Häuser"),
    ("FLUSS", "de", "de", YES, "ß is ss"),
    ("grosse", "de", "de", YES, "Größe"),
    ("wärmepumpe", "de", "de", YES, "the singular"),
    ("pumpe", "de", "de", NO, "compounds are not taken apart"),
    ('"gut so"', "de", "de", YES, "punctuation and quotes are no words"),
    ("ministerinnen", "de", "de", YES, "the plural finds the singular"),
    # French
    ("energie", "fr", "fr", YES, "an elided article is a word of its own"),
    ("l'énergie", "fr", "fr", YES, "and in sequence with it"),
    ("élection générale", "fr", "fr", YES, "plurals, accents"),
    ("oeuvre", "fr", "fr", YES, "œ is oe"),
    ("aujourd'hui", "fr", "fr", YES, "a word with an apostrophe"),
    ("election", "en", "fr", NO, "an English stem does not apply to French"),
    ("elections", "en", "fr", YES, "folded, the word is there"),
    # Spanish, Russian, Turkish, Arabic
    ("canción", "es", "es", YES, "canciones"),
    ("politica", "es", "es", YES, "políticas"),
    ("qué", "es", "es", YES, "an upside-down question mark is punctuation"),
    ("елка", "ru", "ru", YES, "ё is е, and stems"),
    ("новый", "ru", "ru", YES, "новые"),
    ("ирмак", "ru", "ru", NO, "not there"),
    ("ırmak", "tr", "tr", YES, "I, ı and i are one"),
    ("istanbul", "tr", "tr", YES, "İ too"),
    ("fiyat", "tr", "tr", YES, "the singular finds the plural"),
    ("الطاقة", "ar", "ar", YES, "vowel points do not count"),
    # scripts without blanks
    ("東京", "ja", "ja", YES, "within 東京都"),
    ("東京都", "ja", "ja", YES, "itself"),
    ("京都", "ja", "ja", YES, "side by side in 東京都: characters know no words"),
    ("都東", "ja", "ja", NO, "the sequence counts"),
    ("body:京都", "ja", "ja", NO, "punctuation stands between them"),
    ("電", "ja", "ja", YES, "a single character"),
    ("データセンター", "ja", "ja", YES, "half-width katakana"),
    ('"計画 東京"~20', "ja", "ja", YES, "proximity counts characters"),
    ("東京 発電所", "en", "ja", YES, "whatever the query's language"),
    ("「発電所」", "ja", "ja", YES, "Japanese quotes"),
    ("人工智能", "zh", "zh", YES, "Chinese"),
    ("大学 -东京", "zh", "zh", YES, "Chinese, excluding"),
    ("ราคาน้ำมัน", "th", "th", YES, "Thai"),
    ("ไทย", "th", "th", YES, "a Thai word within a sentence"),
    ("서울", "ko", "ko", YES, "Korean, with its particle attached"),
    ("부산", "ko", "ko", NO, "another town"),
]


@cache
def document(name: str) -> Document:
    return analyse(**ARTICLES[name])  # type: ignore[arg-type]


@pytest.mark.parametrize(("query", "language", "article", "expected", "why"), PAIRS)
def test_a_query_finds_what_its_reader_expects(
    query: str, language: str, article: str, expected: bool, why: str
) -> None:
    assert (score(parse(query), document(article), language) is not None) is expected, why
