"""Understudies: where a template of the operator's cannot be used, ours takes its part, and only its part."""

from __future__ import annotations

from collections.abc import Callable

from dispatcher.digest.files import Fault
from dispatcher.digest.render import Templates
from dispatcher.errors import TemplateError

Fails = Callable[[Templates], TemplateError | None]
"""Renders what is at stake; gives what goes wrong, if anything does."""


def sound(templates: Templates, fails: Fails) -> Templates:
    """The same templates without those of the operator's with which it fails."""
    while templates.collection.theirs and (error := fails(templates)):
        without = lay_aside(templates, error, fails)
        if without is None:
            return templates
        templates = without
    return templates


def lay_aside(templates: Templates, error: TemplateError, fails: Fails) -> Templates | None:
    """The templates with ours in the place of the one that is to blame; None if it is none of the operator's."""
    name, reason = _blamed(templates, error), str(error)
    if name is None and (name := _found_by_itself(templates, fails)):
        reason = f"{templates.collection.theirs[name][1]}: does not go with ours: {reason}"
    return Templates(collection=templates.collection.without(Fault(name, reason))) if name else None


def _blamed(templates: Templates, error: TemplateError) -> str | None:
    """The innermost template of the operator's that the error passed through, if one is named."""
    files = {file: name for name, (_, file) in templates.collection.theirs.items()}
    return next((files[file] for file in (*error.files, error.subject or "") if file in files), None)


def _found_by_itself(templates: Templates, fails: Fails) -> str | None:
    """The first of the operator's that fails over ours alone: it lacks what one of ours expects of it.

    If each is fine by itself, one of them has to go all the same; with none of them it would not fail.
    """
    theirs = templates.collection.theirs
    if not theirs or fails(Templates(collection=templates.collection.without_any())) is not None:
        return None
    alone = (name for name in theirs if fails(Templates(collection=templates.collection.only(name))) is not None)
    return next(alone, next(iter(theirs)))
