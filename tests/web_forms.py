"""The forms of a page as a browser without JavaScript would send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """Where a form goes and what stands in it, in order. Change `fields` as a person would."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    def set(self, name: str, *values: str) -> Form:
        """Write, tick or choose: the field has exactly these values from now on."""
        self.fields = [pair for pair in self.fields if pair[0] != name] + [(name, value) for value in values]
        return self

    def tick(self, name: str, value: object) -> Form:
        """Tick one more box of a name."""
        self.fields.append((name, str(value)))
        return self

    def untick(self, name: str, value: object) -> Form:
        """Untick one box of a name."""
        self.fields.remove((name, str(value)))
        return self

    def values(self, name: str) -> list[str]:
        """What stands in a field."""
        return [value for known, value in self.fields if known == name]


def forms_of(html: str) -> list[Form]:
    """Every form of a page, in order. Buttons are not pressed."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms


def form_to(html: str, action: str) -> Form:
    """The form of a page that goes to an address."""
    return next(form for form in forms_of(html) if form.action == action)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = self._area = ""
        self._first: str | None = None
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(known.get("action", "")))
            self._is_open = True
        elif tag == "input" and self._is_open:
            self._input(known)
        elif tag == "select":
            self._select, self._first = known.get("name", ""), None
        elif tag == "option" and self._select:
            self._option(known)
        elif tag == "textarea":
            self._area = known.get("name", "")
            self._add(self._area, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False
        elif tag == "select":
            if self._first is not None and not any(name == self._select for name, _ in self.forms[-1].fields):
                self._add(self._select, self._first)
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            name, value = self.forms[-1].fields[-1]
            self.forms[-1].fields[-1] = name, value + data

    def _input(self, known: dict[str, str]) -> None:
        boxed = known.get("type") in ("checkbox", "radio")
        if known.get("name") and (not boxed or "checked" in known) and known.get("type") != "submit":
            self._add(known["name"], known.get("value", "on" if boxed else ""))

    def _option(self, known: dict[str, str]) -> None:
        value = known.get("value", "")
        if self._first is None:
            self._first = value
        if "selected" in known:
            self._add(self._select, value)

    def _add(self, name: str, value: str) -> None:
        self.forms[-1].fields.append((name, value))
