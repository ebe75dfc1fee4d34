"""Subjects and preheaders: which line is for which occasion, and what is left where one says nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.digest.collection import Collection, Lines
from dispatcher.digest.inspection import remarks
from dispatcher.digest.openings import PREHEADERS, SUBJECTS
from dispatcher.digest.rehearsal import LANTERN, first_fault, letter_content, scenario
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.understudy import sound
from dispatcher.model.outbound import DigestContent
from dispatcher.model.values import DeliveryKind, LetterName

NEWS = next(scenario())
OURS = Templates([builtin_folder()])


def opened(
    folder: Path, *, subjects: dict[str, str] | None = None, preheaders: dict[str, str] | None = None
) -> Templates:
    """Ours, with lines of config."""
    lines = Lines(SUBJECTS, subjects or {}, "news.toml"), Lines(PREHEADERS, preheaders or {}, "news.toml")
    return Templates(collection=Collection.read(folder, builtin_folder(), lines))


def subject(templates: Templates, content: DigestContent) -> str:
    """A mail's subject, each run of blanks as one."""
    return " ".join("".join(map(str, templates.render(content, LANTERN).subject)).split())


def preheader(templates: Templates, content: DigestContent) -> str:
    """What stands beside it."""
    html = "".join(map(str, templates.render(content, LANTERN).html))
    found = re.search(r'<div class="preheader"[^>]*>([^<\u034f]*)', html)
    assert found
    return found[1].strip()


@pytest.mark.parametrize(
    ("kind", "cadence", "said"),
    [
        (DeliveryKind.DIGEST, "daily at 07:30", "Today: A bridge opens"),
        (DeliveryKind.DIGEST, "weekdays at 07:30", "Today: A bridge opens"),
        (DeliveryKind.DIGEST, "weekly on mon at 08:00", "The week, 4 stories"),
        (DeliveryKind.DIGEST, "monthly on 1 at 08:00", "News"),
        (DeliveryKind.DIGEST, "0 7 * * 1", "News"),
        (DeliveryKind.DIGEST, "hourly", "News"),
        (DeliveryKind.DIGEST, "instant", "Now"),
        (DeliveryKind.ALERT, "instant", "Now"),
        (DeliveryKind.BREAKING, "instant", "Breaking: A bridge opens, and 5 more"),
    ],
)
def test_the_most_particular_line_is_taken(tmp_path: Path, kind: DeliveryKind, cadence: str, said: str) -> None:
    lines = {
        "digest": "News",
        "daily": "Today: {{ stories[0].title }}",
        "weekly": "The week, {{ ngettext('%(n)s story', '%(n)s stories', stories|length) }}",
        "instant": "Now",
        "breaking": "Breaking: {{ stories[0].title }}, and {{ stories|length - 1 + more }} more",
    }
    content = replace(NEWS, kind=kind, cadence=cadence)
    assert subject(opened(tmp_path, subjects=lines), content) == said
    assert preheader(opened(tmp_path, preheaders=lines), content) == said


def test_a_line_that_comes_to_nothing_leaves_it_to_the_templates(tmp_path: Path) -> None:
    nothing = {"digest": "{% if more > 99 %}Many{% endif %}"}
    templates = opened(tmp_path, subjects=nothing, preheaders=nothing)
    assert subject(templates, NEWS) == subject(OURS, NEWS)
    assert preheader(templates, NEWS) == preheader(OURS, NEWS)


def test_a_line_of_config_goes_before_a_file_and_a_file_for_the_occasion_before_one_for_all(tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "digest.subject.j2").write_text("All")
    assert subject(opened(tmp_path), NEWS) == "All"
    (tmp_path / "email" / "daily.subject.j2").write_text("Daily")
    assert subject(opened(tmp_path), NEWS) == "Daily"
    assert subject(opened(tmp_path, subjects={"daily": "Line"}), NEWS) == "Line"
    assert subject(opened(tmp_path, subjects={"daily": "{# nothing #}"}), NEWS) == "All"


def test_letters_and_editions_are_left_alone(tmp_path: Path) -> None:
    templates = opened(tmp_path, subjects={"digest": "News"}, preheaders={"digest": "News"})
    edition = replace(NEWS, kind=DeliveryKind.EDITION, cadence="", preheader="By hand")
    for content in (edition, *map(letter_content, LetterName)):
        assert subject(templates, content) == subject(OURS, content)
        assert preheader(templates, content) == preheader(OURS, content)
    assert preheader(templates, edition) == "By hand"


def test_what_a_reader_is_called_may_stand_in_both(tmp_path: Path) -> None:
    line = {"digest": "{% personal %}{{ subscriber.name }}: {% endpersonal %}{{ stories[0].title }}"}
    rendered = opened(tmp_path, subjects=line, preheaders=line).render(NEWS, LANTERN)
    assert len(rendered.subject) == 2
    assert str(rendered.subject[1]).startswith("A bridge opens")


def test_digests_with_lines_are_put_together_from_fragments_like_any_other(tmp_path: Path) -> None:
    lines = {"daily": "{% for story in stories[:2] %}{{ story.title }}, {% endfor %}and more"}
    assert remarks(opened(tmp_path, subjects=lines, preheaders=lines), LANTERN) == []


def test_a_mistake_names_file_key_and_what_was_meant_and_only_that_line_is_left_out(tmp_path: Path) -> None:
    found = sound(opened(tmp_path, subjects={"daily": "Fine", "weekly": "{{ storys }}"}), first_fault)
    (fault,) = found.collection.faults
    assert fault.reason == "news.toml: subjects.weekly:1: 'storys' is not defined; did you mean 'stories'?"
    assert subject(found, NEWS) == "Fine"
