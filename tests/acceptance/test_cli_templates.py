"""`templates`: list, eject and check, as an operator uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import dispatcher, in_json, ok


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A fresh site."""
    ok(tmp_path, "init")
    return tmp_path


def write(site: Path, name: str, text: str) -> Path:
    """A template of the operator's."""
    path = site / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_list_says_whose_each_is_and_what_has_changed_since_it_was_copied(site: Path) -> None:
    ok(site, "templates", "eject", "email/footer.txt.j2", "email/style.html.j2")
    style = site / "templates" / "email" / "style.html.j2"
    first, rest = style.read_text().split("\n", 1)
    style.write_text(f"{first[:-15]}{'0' * 12} #}}\n{rest}")
    write(site, "email/daily.subject.j2", "Today")
    write(site, "email/alert.txt.j2", "\0")
    found = {entry["name"]: entry for entry in in_json(site, "templates", "list")}
    assert {name for name, entry in found.items() if entry["whose"] == "yours"} == {
        "email/footer.txt.j2", "email/style.html.j2", "email/daily.subject.j2", "email/alert.txt.j2",
    }  # fmt: skip
    assert found["email/footer.txt.j2"]["remark"] == "as ours"
    assert found["email/style.html.j2"]["remark"] == "ours has changed since you copied it"
    assert found["email/alert.txt.j2"]["remark"].endswith("holds the byte 0: that is no text")
    assert found["email/digest.subject.j2"]["makes"] == "subject: digests"
    assert found["web/layout.html.j2"]["whose"] == "ours"


def test_a_copy_of_all_of_ours_changes_nothing_and_is_never_written_over_unasked(site: Path) -> None:
    ok(site, "templates", "eject", "--all")
    assert ok(site, "templates", "check") == "all templates are fine\n"
    footer = write(site, "email/footer.txt.j2", "mine")
    said = dispatcher(site, "templates", "eject", "email/footer.txt.j2")
    assert (said.code, footer.read_text()) == (2, "mine")
    ok(site, "templates", "eject", "email/footer.txt.j2", "--yes")
    assert footer.read_text() != "mine"


def test_a_misspelt_name_is_told_with_the_nearest_one(site: Path) -> None:
    said = dispatcher(site, "templates", "eject", "email/foter.txt.j2")
    assert "there is no template 'email/foter.txt.j2'; did you mean 'email/footer.txt.j2'?" in said.err
    assert dispatcher(site, "templates", "eject").code == 2


def test_check_tells_all_that_is_wrong_and_warns_of_what_is_not_as_it_should_be(site: Path) -> None:
    write(site, "email/alert.txt.j2", "{{ storys }}")
    write(site, "email/confirm.subject.j2", "{{ newsletter.nmae }}")
    write(
        site,
        "email/digest.txt.j2",
        "{% if 0 %}{{ topics }}{% endif %}{% for story in stories %}{{ story }}{% endfor %}",
    )
    write(site, "email/footer.html.j2", f"Bye {'x' * 96_000}")
    write(site, "email/dgest.html.j2", "x")
    toml = site / "config" / "dispatcher.toml"
    toml.write_text(toml.read_text().replace('weekly = ""', 'weekly = "{{ digest.slot }}"', 1))
    said = dispatcher(site, "templates", "check", "--json")
    assert said.code == 3
    reasons = {error["template"]: error["reason"] for error in said.json["errors"]}
    assert reasons.keys() == {"email/alert.txt.j2", "email/confirm.subject.j2", "config/weekly.subject.j2"}
    assert reasons["config/weekly.subject.j2"] == (
        f"{toml}: subjects.weekly:1: digest has no 'slot'; did you mean 'slot_at'?"
    )
    warnings = "\n".join(said.json["warnings"])
    for part in (
        "digest.txt.j2:1: topics exists inside {% personal %} only",
        "dgest.html.j2: nothing makes use of it; did you mean email/digest.html.j2?",
        "the text of a mail of the kind digest has no link to leave",
        "the HTML of a mail of the kind alert has no link to leave",
        "mail programs cut it off",
        "rendered in full each time, which is slow for many readers: a template prints a story as a whole",
    ):
        assert part in warnings, part
    plain = dispatcher(site, "templates", "check")
    assert plain.code == 3
    assert plain.out.count("error: ") == 3
    assert dispatcher(site, "config", "check").code == 1
