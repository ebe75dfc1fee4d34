"""The Jinja that templates are written in: a sandbox, our words and filters, and undefined names that help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, pass_context, pass_eval_context
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.utils import missing
from markupsafe import Markup, escape

from dispatcher.digest import body, plain, voice
from dispatcher.digest.bounds import BoundedEnvironment

SHARED_NAMES = ("newsletter", "theme", "digest", "sections", "stories", "more", "lang", "dir")
"""What a template knows outside `{% personal %}`."""

PERSONAL_NAMES = ("subscriber", "topics", "cadence", "newsletter", "theme", "links")
"""What a template knows inside `{% personal %}`, and nothing else."""


def environment(
    loader: BaseLoader | None = None, *, html: bool | None = None,
    kind: type[BoundedEnvironment] = BoundedEnvironment,
) -> BoundedEnvironment:  # fmt: skip
    """A sandbox for templates, in which all ends. `html` escapes always or never; None goes by the template's name."""
    made = kind(
        loader=loader,
        autoescape=is_markup if html is None else html,
        undefined=Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"_": _gettext, "ngettext": _ngettext, "dir_of": voice.direction}
    made.filters |= {
        "date": lambda moment, style="full": voice.current().date(_instant(moment), style),
        "time": lambda moment: voice.current().time(_instant(moment)),
        "moment": lambda moment, near: voice.current().moment(_instant(moment), _instant(near)),
        "number": _unfolded(lambda value: voice.current().number(value)),
        "listed": _listed,
        "cadence": _unfolded(lambda text: voice.current().cadence(text)),
        "mailed": _mailed,
        "paragraphs": plain.paragraphs,
        "shorten": plain.shorten,
        "wrap": plain.wrap,
        "underline": plain.underline,
    }
    return made


def is_markup(name: str | None) -> bool:
    """Whether a template's output is escaped as HTML: always, but for text and subjects."""
    return name is None or not name.removesuffix(".j2").endswith((".txt", ".subject"))


class Missing(StrictUndefined):
    """An undefined name or attribute whose error says what was probably meant."""

    @property
    def _undefined_message(self) -> str:
        name, owner = str(self._undefined_name), self._undefined_obj
        if self._undefined_hint:
            return self._undefined_hint
        if isinstance(owner, list | tuple) and isinstance(self._undefined_name, int):
            return f"there is no [{name}]: it has {len(owner)}"
        if owner is not missing:
            return f"{_called(owner)} has no {name!r}{nearest(name, _attributes(owner))}"
        if name in PERSONAL_NAMES and name not in SHARED_NAMES:
            return f"{name} may only be used inside {{% personal %}}"
        return f"{name!r} is not defined{nearest(name, {*SHARED_NAMES, *PERSONAL_NAMES})}"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the names there are if none is near, or nothing if there are none."""
    names = sorted(known)
    if close := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(names)}" if names else ""


def _called(owner: Any) -> str:
    """What a template's author calls a value of ours."""
    kind = type(owner).__name__
    return {"DigestContent": "digest", "Letterhead": "newsletter", "Personal": "subscriber"}.get(kind, kind.lower())


def _attributes(owner: Any) -> list[str]:
    if isinstance(owner, dict):
        return [key for key in owner if isinstance(key, str)]
    if not is_dataclass(owner):
        return []
    computed = [name for name, value in vars(type(owner)).items() if isinstance(value, property)]
    return [field.name for field in fields(owner)] + computed


@pass_eval_context
def _gettext(context: EvalContext, message: str, /, **values: Any) -> str:
    return _filled(context, voice.current().gettext(message), values)


@pass_eval_context
def _ngettext(context: EvalContext, one: str, many: str, count: int, /, **values: Any) -> str:
    speaker = voice.current()
    return _filled(context, speaker.ngettext(one, many, count), {"n": speaker.number(count), **values})


def _filled(context: EvalContext, message: str, values: dict[str, Any]) -> str:
    """Words are text: in HTML they are escaped, and so is what is put into them unless it is markup already."""
    text = escape(message) if context.autoescape else message
    return text % values if values else text


@pass_context
def _listed(context: Context, words: Iterable[str]) -> str:
    """A list in words. Escaped one by one, because some of the words may be markup already."""
    if not context.eval_ctx.autoescape:
        return voice.current().listed(map(str, words))
    return Markup(voice.current().listed(str(escape(word)) for word in words))


def _mailed(html: str, pictures: bool = True, longest: int = body.LONGEST) -> Markup:
    """An article's HTML as mail programs can show it: safe, whatever it was."""
    return Markup(body.mailed(str(html), pictures=pictures, longest=longest))


def _instant(moment: Any) -> datetime:
    if not isinstance(moment, datetime):
        raise TypeError(f"a date is needed here, and this is {moment!r}: test it with {{% if %}} first")
    return moment


def _unfolded(function: Any) -> Any:
    """A filter that Jinja must not work out at compile time, when nobody's language is known yet."""
    return pass_context(lambda context, *args: function(*args))
