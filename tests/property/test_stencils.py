"""A personal block drawn once for many readers says to each of them what it would have said to that one alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.digest.slots import Letterhead, Links, Slot, fill, names
from dispatcher.digest.stencil import Reader, draw, printed
from dispatcher.digest.voice import speaking, voice
from dispatcher.model.outbound import Personal

LETTERHEAD = Letterhead("Gazette", "default", "a@b.example", "a@b.example", "https://b.example", "en", "1 Mill Lane")

PATHS = ("subscriber.name", "subscriber.email", "links.unsubscribe", "links.preferences", "cadence", "newsletter.name")
STATEMENTS = (
    "{{ %(a)s }}",
    "<a href='{{ %(a)s }}'>{{ %(b)s }}</a>",
    "{%% if %(a)s %%}{{ %(a)s }}{%% else %%}nobody{%% endif %%}",
    "{%% if %(a)s and not %(b)s %%}one{%% endif %%}",
    "{%% if %(a)s == 'Ann' %%}It is you{%% endif %%}",
    "{{ %(a)s|upper }} {{ %(b)s|length }}",
    "{{ %(a)s[:3] }}",
    '{{ _("For %%(name)s", name=%(a)s) }}',
    '{{ _("You get this mail at %%(email)s because you follow %%(topics)s (%%(cadence)s).", email=%(a)s, '
    "topics=topics|listed, cadence=cadence|cadence)|wrap }}",
    '{{ _("For %%(name)s", name=%(a)s ~ "!")|wrap }}',
    "{{ (%(a)s ~ ' and ' ~ %(b)s)|wrap }}",
    "{%% set x = %(a)s %%}{{ x }}{%% for t in topics %%}{{ t }}, {%% endfor %%}",
    "{%% for c in %(a)s %%}{{ c }}.{%% endfor %%}",
    "{{ links }}{{ subscriber }}",
    "{{ %(a)s }}{{ %(a)s }}{{ %(b)s }}",
    "{%% set x %%}{{ %(a)s }}{%% endset %%}{{ x|length }}",
    "a line\n  {{ %(a)s }}\n\n{{ %(b)s or 'none' }}\n",
)
WORDS = st.sampled_from(
    ["", "A", "Ann", "Ann O'Neill", "<b>Ben & Co</b>", "ann@reader.example", "https://l.example/u/" + "x" * 90, "Zoë",
     "日本語の名前", "a\nb", "tab\there", "\ue010\ue00e", "\ue00f", "e\u0301", "50 %", "%(name)s", "{{ name }}",
     "word " * 30]
) | st.text(max_size=12)  # fmt: skip


@st.composite
def blocks(draw_one: st.DrawFn) -> str:
    """A personal block that a template's author might write."""
    chosen = draw_one(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=3))
    path = st.sampled_from(PATHS)
    return "".join(statement % {"a": draw_one(path), "b": draw_one(path)} for statement in chosen)


readers = st.builds(
    lambda name, email, leave, prefer, topics: Reader(
        Personal(name, email, tuple(topics), "daily at 07:30"), LETTERHEAD, Links(leave, prefer), ("en", "UTC")
    ),
    WORDS, WORDS, WORDS, WORDS, st.lists(st.sampled_from(["Energy", "Town & hall", "\ue011\ue00e"]), max_size=2),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(blocks(), st.lists(readers, min_size=1, max_size=4), st.booleans())
def test_what_is_drawn_once_is_what_each_reader_would_have_got(block: str, crowd: list[Reader], html: bool) -> None:
    slot = Slot(block, "email/digest.html.j2", 1)
    with speaking(voice("en", "UTC")):
        for reader in crowd:
            own = reader.own
            drawn = draw(slot, reader, own, html=html)
            text = "".join(printed(own[part], html=html) if isinstance(part, int) else part for part in drawn)
            assert text == fill(slot, names(reader.personal, reader.letterhead, reader.links), html=html)


def test_readers_who_differ_only_in_name_and_links_share_a_drawing() -> None:
    block = '{% if subscriber.name %}{{ _("For %(name)s", name=subscriber.name) }}{% endif %}: {{ links.unsubscribe }}'
    slot = Slot(block, "email/digest.html.j2", 1)
    people = [
        Reader(Personal(name, "x@y.example", ("Energy",), ""), LETTERHEAD, Links(f"https://l/u/{name}"), ("en", "UTC"))
        for name in ("Ann", "Benedict")
    ]  # fmt: skip
    with speaking(voice("en", "UTC")):
        ann, ben = (draw(slot, person, person.own, html=True) for person in people)
    assert ann is ben
    assert ann == ("For ", 0, ": ", 2)
