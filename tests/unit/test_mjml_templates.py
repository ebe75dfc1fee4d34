"""MJML: made HTML once, with its Jinja where it stood; and what is said of a mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dispatcher.digest.collection import Collection
from dispatcher.digest.inspection import remarks
from dispatcher.digest.mjml import compile, is_mjml, name_of
from dispatcher.digest.rehearsal import LANTERN, scenario
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.errors import TemplateError

DIGEST = """<mjml lang="{{ lang }}" dir="{{ dir }}">
<mj-head>
  <mj-title>{{ newsletter.name }}</mj-title>
  <mj-preview>{{ stories[0].title }}</mj-preview>
  <mj-attributes><mj-text color="{{ theme.ink }}" font-family="Georgia, serif"/></mj-attributes>
  <mj-style>.more a { color: {{ theme.accent }}; }</mj-style>
</mj-head>
<mj-body background-color="{{ theme.paper }}">
  {# One section for each topic. #}
  {% for section in sections %}
  <mj-section>
    <mj-column>
      <mj-text font-size="20px">{{ section.label }}</mj-text>
      {% for story in section.stories %}
      <mj-text>
        <a href="{{ story.url }}">{{ story.title }}</a><br/>
        {{ story.summary|shorten(80) }} {# a remark <mj-text> #}
      </mj-text>
      {% if story.image_url %}<mj-image src="{{ story.image_url }}" alt=""/>{% endif %}
      {% endfor %}
    </mj-column>
  </mj-section>
  {% endfor %}
  <mj-section><mj-column><mj-text>
    {% personal %}
    <a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ subscriber.email }}
    {% endpersonal %}
  </mj-text></mj-column></mj-section>
</mj-body>
</mjml>
"""


def opened(folder: Path, source: str, name: str = "email/digest.html.mjml.j2") -> Templates:
    """Ours, with a digest in MJML over them."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(source)
    return Templates(collection=Collection.read(folder, builtin_folder()))


def test_a_file_of_mjml_makes_the_html_template_of_its_name() -> None:
    assert [name_of(f"email/digest.{end}") for end in ("html.mjml", "html.mjml.j2", "html.j2", "txt.j2")] == [
        "email/digest.html.j2", "email/digest.html.j2", "email/digest.html.j2", "email/digest.txt.j2",
    ]  # fmt: skip
    assert [is_mjml(name) for name in ("a.html.mjml", "a.html.mjml.j2", "a.html.j2")] == [True, True, False]


@pytest.mark.parametrize("name", ["email/digest.html.mjml.j2", "email/digest.html.mjml"])
def test_a_digest_in_mjml_shows_what_its_jinja_says(tmp_path: Path, name: str) -> None:
    templates = opened(tmp_path, DIGEST, name)
    html = "".join(map(str, templates.render(next(scenario()), LANTERN).html))
    for said in (
        "A bridge opens</a>",
        "Rain &amp; wind</a>",
        "https://news.example/bridge.jpg",
        'lang="en"',
        "#1c1a17",
    ):
        assert said in html, said
    assert html.count("<mj-") == 0
    assert "jinjatag" not in html
    assert "a remark" not in html
    assert "fonts.googleapis" not in html
    assert remarks(templates, LANTERN) == []  # so it is put together from fragments, too


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<mjml>\n<mj-body>\n<mj-secton/>\n</mj-body></mjml>", ":3: there is no component <mj-secton>; did you mean"),
        (
            "<mjml>\n<mj-body>\n<mj-text>a<br>b</mj-text></mj-body></mjml>",
            ":3: <br> has to be closed here: write <br/>",
        ),
        ("<mjml>\n<mj-body>\n</mjml>", ":3: </mjml> closes nothing: <mj-body> of line 2 is still open"),
        ("<mjml>\n\n<mj-body>", ":3: <mj-body> is never closed"),
        ("no mjml at all", ":1: mrml does not understand this MJML: "),
        ("<mjml>\n<mj-body>{% if %</mj-body></mjml>", ":2: "),
        ("<mjml>\n<mj-body><mj-raw>\n{{ a </mj-raw></mj-body></mjml>", ":3: "),
    ],
)
def test_a_mistake_is_told_with_its_line(source: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile(source, "digest.html.mjml")
    assert str(caught.value).startswith(f"digest.html.mjml{said}")


def test_an_unknown_name_is_told_with_the_line_in_the_file(tmp_path: Path) -> None:
    line = DIGEST.splitlines().index("        {{ story.summary|shorten(80) }} {# a remark <mj-text> #}") + 1
    templates = opened(tmp_path, DIGEST.replace("story.summary", "story.sumary"))
    with pytest.raises(TemplateError) as caught:
        templates.render(next(scenario()), LANTERN)
    assert str(caught.value) == (
        f"{tmp_path}/email/digest.html.mjml.j2:{line}: story has no 'sumary'; did you mean 'summary'?"
    )


def test_beside_html_of_the_same_name_one_of_the_two_has_to_go(tmp_path: Path) -> None:
    opened(tmp_path, "x", "email/digest.html.j2")
    (fault,) = opened(tmp_path, DIGEST).collection.faults
    assert "keep one of the two" in fault.reason


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mrml", None)
    with pytest.raises(TemplateError, match=r"pip install 'dispatcher\[mjml\]'"):
        compile(DIGEST, "digest.html.mjml")
