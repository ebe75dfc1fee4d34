"""Openings: subjects and preheaders for single occasions, which templates of the operator's or lines of config say.

    email/digest.subject.j2      ─▶ whose occasion is it?  daily ─▶ email/daily.subject.j2      ─┐ blank?
    email/alert.subject.j2                                 …                                     ▼
    email/preheader.html.j2                                         that template as it is else

What decides is itself a template, written here: so an occasion's line is rendered, shared and blamed as any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.digest.files import FileMap

OCCASIONS = {
    "breaking": 'digest.kind == "breaking"',
    "instant": 'digest.cadence == "instant"',
    "hourly": 'digest.cadence == "hourly"',
    "daily": 'digest.cadence.split(" ")[0] in ("daily", "weekdays")',
    "weekly": 'digest.cadence.split(" ")[0] == "weekly"',
    "monthly": 'digest.cadence.split(" ")[0] == "monthly"',
    "digest": 'digest.kind == "digest"',
}
"""When each of them is; the first that holds."""

SUBJECTS, PREHEADERS = "subjects", "preheaders"
_TARGETS = {
    SUBJECTS: ("email/digest.subject.j2", "email/alert.subject.j2"),
    PREHEADERS: ("email/preheader.html.j2",),
}
_ENDINGS = {SUBJECTS: "subject.j2", PREHEADERS: "preheader.html.j2"}
_OF_NEWS = 'digest.kind in ("digest", "alert", "breaking")'


def line_name(table: str, occasion: str) -> str:
    """The template that a line of config makes."""
    return f"config/{occasion}.{_ENDINGS[table]}"


def file_name(table: str, occasion: str) -> str:
    """The template that a file for one occasion makes; of all digests there is one anyway."""
    return f"email/{occasion}.{_ENDINGS[table]}"


def with_openings(files: FileMap) -> FileMap:
    """The same templates, with what decides on occasions in the place of those it decides for."""
    decided = dict(files)
    for table, targets in _TARGETS.items():
        said = {occasion: _named(files, table, occasion) for occasion in OCCASIONS}
        known = {occasion: name for occasion, name in said.items() if name}
        for target in (one for one in targets if known and one in files):
            plain = target.replace("email/", "email/plain/")
            decided[plain] = files[target]
            decided[target] = _decision(known.items(), plain), f"[{table}]"
    return decided


def _named(files: FileMap, table: str, occasion: str) -> str:
    names = [line_name(table, occasion)]
    if occasion != "digest" or table == PREHEADERS:
        names.append(file_name(table, occasion))
    return next((name for name in names if name in files), "")


def _decision(known: Iterable[tuple[str, str]], plain: str) -> str:
    branches = "".join(f'{{%- elif {OCCASIONS[occasion]} -%}}{{%- include "{name}" -%}}' for occasion, name in known)
    return (
        f"{{%- set said -%}}{{%- if not ({_OF_NEWS}) -%}}{branches}{{%- endif -%}}{{%- endset -%}}"
        f'{{%- if said|trim -%}}{{{{ said|trim }}}}{{%- else -%}}{{%- include "{plain}" -%}}{{%- endif -%}}'
    )
