"""Templates that do all sorts of things with stories, and the stories to do them with."""

# ruff: noqa: E501 - a template reads best in one piece

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispatcher.digest.compose import Outline
from dispatcher.digest.fragments import Told
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.model.content import Story
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import DeliveryKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LANTERN = Newsletter(
    slug="l", name="Lantern & Co", sender="L <n@lantern.example>", list_id="l", url="https://l.example"
)

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

EACH = "{% for story in stories %}"
END = "{% endfor %}\n"

SHARED = {
    "lines": EACH + "\n{{ loop.index }}. {{ story.title }}\n" + END,
    "commas": EACH + "{{ story.title }}{{ ', ' if not loop.last }}" + END,
    "the first three": "{% for story in stories[:3] %}\n- {{ story.title|upper }}\n" + END,
    "backwards": "{% for story in stories|reverse %}{{ story.summary }}|" + END,
    "in pairs": "{% for pair in stories|batch(2) %}{% for story in pair %}{{ story.title }}|{% endfor %}\n" + END,
    "sections": "{% for section in sections %}\n{{ section.label }}\n{% set is_lead = loop.first %}\n"
    "{% for story in section.stories %}\n{% if is_lead and loop.first %}LEAD {% elif loop.index is even %}  {% endif %}"
    "{{ story.title }} in {{ section.label }}\n{% if story.url %}{{ section.stories|length }}{% endif %}\n{% endfor %}\n"
    + END,
    "a loop's loop": "{% for section in sections %}{% set outer = loop %}{% for story in section.stories %}"
    "{{ outer.index }}.{{ loop.index }} {{ story.title }}\n{% endfor %}" + END,
    "a title kept": "{% set lead = stories[0].title %}\n" + EACH + "{{ lead }}: {{ story.title }}\n" + END,
    "tags": EACH + "{% for tag in story.tags %}{{ loop.index }}{{ tag }} {% endfor %}{{ story.title }}\n" + END,
    "in turn": EACH + "{{ loop.cycle('odd', 'even') }} {{ story.title }}\n" + END,
    "colours": "{% set colours = ['red', 'blue'] %}" + EACH + "{{ colours[loop.index0 % 2] }} {{ story.title }}\n" + END,
    "personal": EACH + "\n{% personal %}{{ subscriber.name }}, {% endpersonal %}\n{{ story.title }}\n" + END,
    "an include": EACH + "{% include 'email/item.txt.j2' %}" + END,
    "an include that knows": "{% set is_lead = more %}" + EACH + "{% include 'email/item.txt.j2' %}" + END,
    "macros": "{% import 'email/macros.j2' as show with context %}" + EACH + "{{ show.line(story, '+') }}\n" + END,
    "some macros": "{% from 'email/macros.j2' import line, many with context %}{{ many(stories[:1]) }}"
    + EACH + "{{ line(story) }}\n{% endfor %}{{ many(stories[:1])|upper }}\n",
    "a macro that loops": "{% macro block(section) %}{{ section.label }}{% for story in section.stories %}{{ story.title }}"
    "{% endfor %}{% endmacro %}{% for section in sections %}{{ block(section) }}" + END,
    "a filter": "{% filter upper %}{% for story in stories[:2] %}{{ story.title }} {% endfor %}{% endfilter %}\n",
    "a name for it": "{% set two %}{% for story in stories[:2] %}{{ story.title }} {% endfor %}{% endset %}"
    "{{ two|length }} {{ two }}\n",
    "own names": EACH + "{% set x = loop.index * 2 %}{{ x }} {{ story.title }}{% endfor %}{{ x is defined }}\n",
    "the digest": EACH + "{{ story.published_at|moment(digest.slot_at) if story.published_at else digest.slot_at|time }} "
    "{{ newsletter.name }} {{ more }} {{ stories|length }}\n" + END,
    "with": "{% with n = stories|length %}" + EACH + "{{ n }}{{ story.title }}{% endfor %}{% endwith %}\n",
    "escaped": "{% autoescape true %}" + EACH + "{{ story.title }}{% endfor %}{% endautoescape %}\n",
    "missing": EACH + "{{ story.nosuch is defined }}{{ nosuch is defined }}{{ story.title }}" + END,
    "by name": EACH + "{{ story['title'] }}{{ story|attr('source') }}" + END,
    "a block twice": "{% block list %}" + EACH + "{{ story.title }} {% endfor %}{% endblock %}{{ self.list() }}\n",
}  # fmt: skip
"""Texts that are put together from fragments, if there are no more than a few stories."""

IN_FULL = {
    "an earlier story": "{% set first = stories[0] %}" + EACH + "{{ story.title == first.title }}" + END,
    "all in each": EACH + "{% for other in stories %}{{ other.title|length }}{% endfor %}{{ story.title }}\n" + END,
    "changes": EACH + "{{ loop.changed(story.source) }} {{ story.title }}\n" + END,
    "neighbours": EACH + "{{ loop.previtem.title if loop.previtem is defined }} > {{ story.title }}\n" + END,
    "counting": "{% set ns = namespace(n=0) %}" + EACH + "{% set ns.n = ns.n + story.title|length %}{{ ns.n }} " + END,
    "joining": "{% set comma = joiner(', ') %}" + EACH + "{{ comma() }}{{ story.title }}" + END,
    "a macro that knows": "{% import 'email/counting.j2' as show with context %}" + EACH + "{{ show.counted(story) }}\n" + END,
    "whole stories": EACH + "{{ story }}" + END,
    "the same story": EACH + "{% if story == stories[0] %}first{% endif %}{{ story.title }}" + END,
    "the very story": EACH + "{% if story is sameas stories[0] %}first{% endif %}{{ story.title }}" + END,
    "a macro inside": EACH + "{% macro own(x) %}[{{ x }}]{% endmacro %}{{ own(story.title) }}" + END,
    "a block measured": "{% block list %}" + EACH + "{{ story.title }} {% endfor %}{% endblock %}{{ self.list()|length }}\n",
    "all titles": "{{ stories|map(attribute='title')|join(', ') }} {{ stories|map(attribute='summary')|join }}\n",
    "sorted": "{% for story in stories|sort(attribute='title,source,url') %}{{ story.title }};" + END,
    "chosen": "{% for story in stories|selectattr('url') if story.image_url and story.source %}{{ story.url }}\n" + END,
    "grouped": "{% for group in stories|groupby('source') %}{% for story in group.list|sort(attribute='url') %}"
    "- {{ story.title }}\n{% endfor %}" + END,
    "called": "{% macro each(some) %}{% for x in some %}{{ caller(x) }}{% endfor %}{% endmacro %}"
    "{% call(x) each(stories) %}{{ x.title }}{{ x.url }}{{ x.summary }}{% endcall %}\n",
}  # fmt: skip
"""Texts that are rendered in full for each digest, or are at some number of stories."""

PAGES_SHARED = {
    "a list": "<ul>{% for story in stories %}<li class='n{{ loop.index }}'>{{ story.title }}</li>{% endfor %}</ul>",
    "rows": "<table>{% for story in stories %}<tr><td class=cell>{{ story.title }}</td></tr>\n{% endfor %}</table>",
    "rows on lines": "<table>\n{% for story in stories %}\n<tr><td>{{ story.title }}</td></tr>\n{% endfor %}</table>",
    "rows of sections": "<table>{% for section in sections %}{% for story in section.stories %}<tr><td>{{ story.title }}"
    "</td></tr>{% endfor %}{% endfor %}<tr><td>last</table>",
    "boxes": "<div class=box>{% for section in sections %}<div class='s{{ loop.index }}'>{% for story in section.stories %}"
    "<p class=cell><a href='{{ story.url }}'>{{ story.title }}</a></p>{% endfor %}</div>{% endfor %}</div>",
    "personal": "<div>{% for story in stories %}<p>{% personal %}{{ subscriber.name }}{% endpersonal %} <a title='"
    "{% personal %}{{ subscriber.email }}{% endpersonal %}' href='#'>{{ story.title }}</a></p>{% endfor %}</div>",
    "remarks": "{% for story in stories %}<!-- {{ loop.index }} --><i>{{ story.title }}</i>{% endfor %}",
    "safe": "{% for story in stories %}<div{% if loop.first %} class=lead{% endif %}>"
    "{{ story.summary|paragraphs|join('<br>'|safe) }}</div>{% endfor %}",
    "options": "<select>{% for story in stories %}<option>{{ story.title }}</option>{% endfor %}</select>",
    "an open cell": "{% for story in stories %}<table><tr><td>{{ story.title }}</table>{% endfor %}",
}  # fmt: skip
PAGES_IN_FULL = {
    "open items": "<ul>{% for story in stories %}<li>{{ story.title }}{% endfor %}</ul>",
    "blanks before rows": "<table>{% for story in stories %}{{ ' ' if story.url }}<tr><td>{{ story.title }}</td></tr>"
    "{% endfor %}</table>",
    "text in a table": "<table>{% for story in stories %}{{ story.title }}<tr><td>x</td></tr>{% endfor %}</table>",
    "two columns": "<table><tr>{% for story in stories %}{% if loop.index is odd and not loop.first %}</tr><tr>{% endif %}"
    "<td>{{ story.title }}</td>{% endfor %}</tr></table>",
    "open paragraphs": "{% for story in stories %}<p class=lead>{{ story.summary }}{% endfor %}<p>end",
    "boxes in a paragraph": "<p>{% for story in stories %}<div>{{ story.title }}</div>{% endfor %}</p>",
    "open bold": "<p>{% for story in stories %}<b>{{ story.title }}{% endfor %}</p><p>after</p>",
    "crossed bold": "<p>{% for story in stories %}<p><b>{{ story.title }}</p>{% endfor %}</p><p>after</p>",
    "lines as they are": "<pre>{% for story in stories %}{{ '\\n' }}{{ story.title }}{% endfor %}</pre>",
    "an attribute": "<a title=\"{% for story in stories %}{{ story.title }} {% endfor %}\" href='#'>all</a>",
    "a later attribute": "<a data-x='a>b' title=\"{% for story in stories %}{{ story.title }} {% endfor %}\" href='#'>all</a>",
    "half a character": "&am{% for story in stories %}p; {{ story.title }} &am{% endfor %}p;",
    "a remark": "<!-- {% for story in stories %}{{ story.title }}{% endfor %} -->",
    "a field": "<textarea>{% for story in stories %}{{ story.title }}{% endfor %}</textarea>",
    "links in a link": "<a href='#'>{% for story in stories %}<a href='{{ story.url }}'>{{ story.title }}</a>{% endfor %}</a>",
    "headings in one": "<h2>{% for story in stories %}<h2>{{ story.title }}</h2>{% endfor %}</h2>",
    "the page's title": "<title>{% for story in stories[:1] %}{{ story.title }}{% endfor %}</title>",
    "a style sheet": "<style>.cell { color: {% for story in stories[:1] %}red{% endfor %}; }</style><p class=cell>x",
    "cells after a cell": "<table><tr><td>{% for story in stories %}<td>{{ story.title }}</td>{% endfor %}</table>",
}  # fmt: skip
STYLE = (
    ".cell { color: red } .lead, td { margin: 0 } .box > div p { padding: 0 } a[href~='x'] { color: red } a:hover {}"
)
STYLES_IN_FULL = ("li + li { color: red }", "p:first-child { color: red }", "p ~ p { margin: 0 }", "a:nth-child(2) {}")


def templates(text: str = "x", page: str = "<p>x</p>", subject: str = "Hello", style: str = STYLE) -> Templates:
    """Templates of a digest, over our own."""
    with tempfile.TemporaryDirectory() as folder:
        email = Path(folder) / "email"
        email.mkdir()
        sources = {
            "macros.j2": "{% macro line(story, mark='*') %}{{ mark }} {{ story.title }} ({{ lang }}){% endmacro %}\n"
            "{% macro many(some) %}{% for story in some %}{{ story.title }}, {% endfor %}{% endmacro %}\n",
            "counting.j2": "{% macro counted(story) %}{{ story.title }} of {{ more }}{% endmacro %}\n",
            "item.txt.j2": "{{ story.title }}{% if story.url %} {{ story.url }}{% endif %} {{ is_lead|default('?') }}\n",
            "digest.subject.j2": subject,
            "digest.txt.j2": f"Hello\n{text}\nBye\n",
            "digest.html.j2": f"<html><head><style>{style}</style></head><body>{page}<hr></body></html>",
        }
        for name, source in sources.items():
            (email / name).write_text(source, "utf-8")
        return Templates([Path(folder), builtin_folder()])


def outline(told: Sequence[Told], sizes: Sequence[int], more: int = 0) -> Outline:
    """A digest of these stories in sections of these sizes."""
    rest = iter(told)
    sections = [(f"Topic {n}", [next(rest) for _ in range(size)]) for n, size in enumerate(sizes)]
    return Outline(DeliveryKind.DIGEST, "en", "Europe/London", "daily at 07:30", NOON, sections, more, "cards")
