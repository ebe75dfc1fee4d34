"""Whatever templates do, and whatever digests there are: put together from fragments, a digest is what it is in full."""

from __future__ import annotations

import quopri
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Stretch, Told
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.slots import Slot
from dispatcher.digest.transfer import QUOTED_PRINTABLE
from dispatcher.digest.wire import Door, Draft
from dispatcher.model.content import Story
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import DeliveryKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LANTERN = Newsletter(slug="l", name="Lantern & Co", sender="L <n@lantern.example>", list_id="l", url="https://l.example")

TITLES = ("Wind", "A <b>bold</b> bridge", "R&D; R&amp;D", ".", "Ärger im Tal 漢字", "", "x" * 90, "&", "tail=", "Wind")
SUMMARIES = ("", "It turns.\n\nAnd turns.", "a & b < c", "Fine.\r\nLines.", "half\r", "\n\nblank\n\n", "dots\n.\n.")
POOL = [
    Told(
        Story(
            title=TITLES[n % len(TITLES)],
            url=f"https://l.example/{n}" if n % 5 else "",
            summary=SUMMARIES[n % len(SUMMARIES)],
            source=("Gazette", "Herald", "")[n % 3],
            tags=("a", "b")[: n % 3],
            image_url=f"https://l.example/{n}.jpg" if n % 2 else "",
            language=("", "en", "ar")[n % 3],
            published_at=NOON - timedelta(hours=n) if n % 4 else None,
            also_in=("Sport",) if n % 7 == 0 else (),
        )
    )
    for n in range(24)
]

MACROS = """\
{% macro line(story, mark="*") %}{{ mark }} {{ story.title }} ({{ lang }}){% endmacro %}
{% macro many(some) %}{% for story in some %}{{ story.title }}, {% endfor %}{% endmacro %}
"""
COUNTING = "{% macro counted(story) %}{{ story.title }} of {{ more }}{% endmacro %}\n"
ITEM = """\
{{ story.title }}{% if story.url %} {{ story.url }}{% endif %} {{ is_lead|default("?") }} {{ digest.layout }}
"""
SNIPPETS = (
    "{% for story in stories %}\n{{ loop.index }}. {{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}{{ story.title }}{{ ', ' if not loop.last }}{% endfor %}\n",
    "{% for story in stories[:3] %}\n- {{ story.title|upper }}\n{% endfor %}\n",
    "{% for story in stories|reverse %}{{ story.summary }}|{% endfor %}\n",
    "{% for story in stories if story.image_url %}<{{ story.title }}>{% else %}none{% endfor %}\n",
    "{% for story in stories|selectattr('url') %}{{ loop.length }} {{ story.url }}\n{% endfor %}\n",
    "{% for group in stories|groupby('source') %}\n{{ group.grouper }}\n{% for story in group.list %}- {{ story.title }}\n"
    "{% endfor %}{% endfor %}\n",
    "{% for story in stories|sort(attribute='title') %}{{ story.title }};{% endfor %}\n",
    "{% for section in sections %}\n{{ section.label }}\n{% set is_lead = loop.first %}\n{% for story in section.stories %}\n"
    "{% if is_lead and loop.first %}LEAD {% elif loop.index is even %}  {% endif %}{{ story.title }} in {{ section.label }}\n"
    "{% if story.url %}{{ section.stories|length }}{% endif %}\n{% endfor %}\n{% endfor %}\n",
    "{% for section in sections %}{% set outer = loop %}{% for story in section.stories %}{{ outer.index }}.{{ loop.index }} "
    "{{ story.title }}\n{% endfor %}{% endfor %}\n",
    "{% set lead = stories[0].title if stories %}\n{% for story in stories %}{{ lead }}: {{ story.title }}\n{% endfor %}\n",
    "{% set first = stories|first %}{% for story in stories %}{{ story.title == first.title }}{% endfor %}\n",
    "{% for story in stories %}{% for other in stories %}{{ other.title|length }}{% endfor %}{{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}{% for tag in story.tags %}{{ loop.index }}{{ tag }} {% endfor %}{{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}{{ loop.changed(story.source) }} {{ loop.cycle('odd', 'even') }} {{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}{{ loop.cycle('odd', 'even') }} {{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}{{ loop.previtem.title if loop.previtem is defined }} > {{ story.title }}\n{% endfor %}\n",
    "{% set ns = namespace(n=0) %}{% for story in stories %}{% set ns.n = ns.n + story.title|length %}{{ ns.n }} "
    "{% endfor %}{{ ns.n }}\n",
    "{% set comma = joiner(', ') %}{% for story in stories %}{{ comma() }}{{ story.title }}{% endfor %}\n",
    "{% set colours = ['red', 'blue'] %}{% for story in stories %}{{ colours[loop.index0 % 2] }} {{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}\n{% personal %}{{ subscriber.name }}, {% endpersonal %}\n{{ story.title }}\n{% endfor %}\n",
    "{% for story in stories %}{% include 'email/item.txt.j2' %}{% endfor %}\n",
    "{% set is_lead = more %}{% for story in stories %}{% include 'email/item.txt.j2' %}{% endfor %}\n",
    "{% import 'email/macros.j2' as show with context %}{% for story in stories %}{{ show.line(story, '+') }}\n{% endfor %}\n",
    "{% from 'email/macros.j2' import line, many with context %}{{ many(stories) }}{% for story in stories %}{{ line(story) }}\n"
    "{% endfor %}{{ many(stories)|upper }}\n",
    "{% import 'email/counting.j2' as show with context %}{% for story in stories %}{{ show.counted(story) }}\n{% endfor %}\n",
    "{% filter upper %}{% for story in stories %}{{ story.title }} {% endfor %}{% endfilter %}\n",
    "{% set all %}{% for story in stories %}{{ story.title }} {% endfor %}{% endset %}{{ all|length }} {{ all }}\n",
    "{% for story in stories %}{{ story }}{% endfor %}\n",
    "{% for story in stories %}{% if story == stories[0] %}first{% endif %}{{ story.title }}{% endfor %}\n",
    "{% for story in stories %}{% if story is sameas stories[0] %}first{% endif %}{{ story.title }}{% endfor %}\n",
    "{{ stories|map(attribute='title')|join(', ') }} {{ stories|length }} {{ more }}\n",
    "{% for story in stories recursive %}{{ story.title }}{% endfor %}\n",
    "{% for story in stories %}{% macro own(x) %}[{{ x }}]{% endmacro %}{{ own(story.title) }}{% endfor %}\n",
    "{% for story in stories %}{% set x = loop.index * 2 %}{{ x }} {{ story.title }}{% endfor %}{{ x is defined }}\n",
    "{% for story in stories %}{{ story.published_at|moment(digest.slot_at) if story.published_at else digest.slot_at|time }} "
    "{{ newsletter.name }} {{ more }} {{ stories|length }}\n{% endfor %}\n",
    "{% for row in stories|batch(2) %}{% for story in row %}{{ story.title }}|{% endfor %}\n{% endfor %}\n",
    "{% with n = stories|length %}{% for story in stories %}{{ n }}{{ story.title }}{% endfor %}{% endwith %}\n",
    "{% autoescape true %}{% for story in stories %}{{ story.title }}{% endfor %}{% endautoescape %}\n",
    "{% macro block(section) %}{{ section.label }}{% for story in section.stories %}{{ story.title }}{% endfor %}{% endmacro %}"
    "{% for section in sections %}{{ block(section) }}{% endfor %}",
    "{% macro block(section) %}{{ section.label }}{% for story in section.stories %}{{ story.title }}{% endfor %}{% endmacro %}"
    "{% for section in sections %}{{ block(section)|upper }}{% endfor %}",
    "{% macro many_of(some) %}{% for x in some %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) many_of(stories) %}{{ x.title }}{% endcall %}\n",
    "{% for story in stories %}{{ story.nosuch is defined }}{{ nosuch is defined }}{{ story.title }}{% endfor %}\n",
    "{% for story in stories %}{{ story['title'] }}{{ story|attr('source') }}{% endfor %}\n",
    "{% block list %}{% for story in stories %}{{ story.title }} {% endfor %}{% endblock %}{{ self.list() }}\n",
    "{% block more_of %}{% for story in stories %}{{ story.title }} {% endfor %}{% endblock %}{{ self.more_of()|length }}\n",
)
PAGES = (
    "<ul>{% for story in stories %}<li class='n{{ loop.index }}'>{{ story.title }}</li>{% endfor %}</ul>",
    "<ul>{% for story in stories %}<li>{{ story.title }}{% endfor %}</ul>",
    "<table>{% for story in stories %}<tr><td class=cell>{{ story.title }}</td></tr>\n{% endfor %}</table>",
    "<table>\n{% for story in stories %}\n<tr><td class=cell>{{ story.title }}</td></tr>\n{% endfor %}</table>",
    "<table>{% for story in stories %}{% if story.url %}\n{% endif %} <tr><td>{{ story.title }}</td></tr>\n{% endfor %}</table>",
    "<table>{% for story in stories %}{{ ' ' if story.url }}<tr><td>{{ story.title }}</td></tr>\n{% endfor %}</table>",
    "<table>{% for section in sections %}{% for story in section.stories %}<tr><td>{{ story.title }}</td></tr>{% endfor %}{% endfor %}"
    "<tr><td>last</table>",
    "<table>{% for story in stories %}{{ story.title }}<tr><td>x</td></tr>{% endfor %}</table>",
    "<table><tr>{% for story in stories %}{% if loop.index is odd and not loop.first %}</tr><tr>{% endif %}<td>{{ story.title }}"
    "</td>{% endfor %}</tr></table>",
    "{% for story in stories %}<p class=lead>{{ story.summary }}{% endfor %}<p>end",
    "<p>{% for story in stories %}<div>{{ story.title }}</div>{% endfor %}</p>",
    "<p>{% for story in stories %}<b>{{ story.title }}{% endfor %}</p><p>after</p>",
    "<p>{% for story in stories %}<p><b>{{ story.title }}</p>{% endfor %}</p><p>after</p>",
    "<pre>{% for story in stories %}\n{{ story.title }}{% endfor %}</pre>",
    "<a title=\"{% for story in stories %}{{ story.title }} {% endfor %}\" href='#'>all</a>",
    "<a data-x='a>b' title=\"{% for story in stories %}{{ story.title }} {% endfor %}\" href='#'>all</a>",
    "&am{% for story in stories %}p; {{ story.title }} &am{% endfor %}p;",
    "<div class=box>{% for section in sections %}<div class='s{{ loop.index }}'>{% for story in section.stories %}"
    "<p class=cell><a href='{{ story.url }}'>{{ story.title }}</a></p>{% endfor %}</div>{% endfor %}</div>",
    "<div>{% for story in stories %}<p>{% personal %}{{ subscriber.name }}{% endpersonal %} <a title='"
    "{% personal %}{{ subscriber.email }}{% endpersonal %}' href='#'>{{ story.title }}</a></p>{% endfor %}</div>",
    "<!-- {% for story in stories %}{{ story.title }}{% endfor %} -->",
    "{% for story in stories %}<!-- {{ loop.index }} --><i>{{ story.title }}</i>{% endfor %}",
    "<textarea>{% for story in stories %}{{ story.title }}{% endfor %}</textarea>",
    "<a href='#'>{% for story in stories %}<a href='{{ story.url }}'>{{ story.title }}</a>{% endfor %}</a>",
    "<h2>{% for story in stories %}<h2>{{ story.title }}</h2>{% endfor %}</h2>",
    "{% for story in stories %}<div{% if loop.first %} class=lead{% endif %}>{{ story.summary|paragraphs|join('<br>'|safe) }}</div>"
    "{% endfor %}",
    "<title>{% for story in stories[:1] %}{{ story.title }}{% endfor %}</title>",
    "<style>.cell { color: {% for story in stories[:1] %}red{% endfor %}; }</style><p class=cell>x",
    "<table><tr><td>{% for story in stories %}<td>{{ story.title }}</td>{% endfor %}</table>",
    "<select>{% for story in stories %}<option>{{ story.title }}</option>{% endfor %}</select>",
)
STYLES = (
    ".cell { color: red } .lead { margin: 0 } .s1 .cell, td.cell { padding: 0 }",
    "li + li { color: red } .cell { margin: 0 }",
    "p:first-child { color: red } td:last-child { margin: 0 }",
    ".box > div p { color: blue } a[href~='x'] { color: red } a:hover { color: green }",
)

texts = st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=3)
pages = st.lists(st.sampled_from(PAGES), min_size=1, max_size=2)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3)
digests = st.lists(
    st.tuples(shapes, st.integers(0, 2), st.randoms(use_true_random=False)), min_size=4, max_size=7
)


def templates_of(subject: str, text: Sequence[str], page: Sequence[str], style: str) -> Templates:
    with tempfile.TemporaryDirectory() as folder:
        email = Path(folder) / "email"
        email.mkdir()
        (email / "macros.j2").write_text(MACROS)
        (email / "counting.j2").write_text(COUNTING)
        (email / "item.txt.j2").write_text(ITEM)
        (email / "digest.subject.j2").write_text(subject)
        (email / "digest.txt.j2").write_text("Hello\n" + "\n".join(text) + "\nBye\n")
        body = "\n".join(page)
        (email / "digest.html.j2").write_text(f"<html><head><style>{style}</style></head><body>{body}<hr></body></html>")
        return Templates([Path(folder), builtin_folder()])


def composer_of(templates: Templates) -> Composer:
    return Composer(templates, LANTERN, Door())


def outline(told: Sequence[Told], sizes: Sequence[int], more: int) -> Outline:
    rest = iter(told)
    sections = [(f"Topic {n}", [next(rest) for _ in range(size)]) for n, size in enumerate(sizes)]
    return Outline(DeliveryKind.DIGEST, "en", "Europe/London", "daily at 07:30", NOON, sections, more, "cards")


def said(draft: Draft) -> list[object]:
    parts = ((draft.frame.text, draft.text), (draft.frame.html, draft.html))
    return [_joined(draft.subject), *(_joined(_decoded(stretches, encoding)) for encoding, stretches in parts)]


def _decoded(stretches: Sequence[Stretch], encoding: str) -> Iterator[str | Slot]:
    for stretch in stretches:
        content = stretch.content
        if isinstance(content, str) and encoding == QUOTED_PRINTABLE:
            content = quopri.decodestring(content.encode()).decode().replace("\r\n", "\n")
        yield content


def _joined(pieces: Sequence[str | Slot] | Iterator[str | Slot]) -> list[str | Slot]:
    joined: list[str | Slot] = [""]
    for piece in pieces:
        if isinstance(piece, Slot):
            joined += [piece, ""]
        else:
            joined[-1] = f"{joined[-1]}{piece}"
    return joined


def check(composer: Composer, outlined: Outline) -> None:
    full = composer.render(outlined)
    made = composer.compose(outlined)
    assert said(made) == said(full)
    assert sum(stretch.size for stretch in made.html) == sum(stretch.size for stretch in full.html)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SNIPPETS), texts, pages, st.sampled_from(STYLES), digests)
def test_put_together_a_digest_is_what_it_is_in_full(
    subject: str, text: list[str], page: list[str], style: str, digests: list[tuple[list[int], int, object]]
) -> None:
    composer = composer_of(templates_of(subject, text, page, style))
    for sizes, more, random in digests:
        check(composer, outline(random.sample(POOL, sum(sizes)), sizes, more))  # type: ignore[attr-defined]
