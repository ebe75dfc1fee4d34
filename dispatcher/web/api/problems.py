"""What went wrong, as a program is told it (RFC 9457): of every error that a request can meet, one document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dispatcher.errors import DispatcherError, QueryError, SourceError, StoreError
from dispatcher.observability.logs import logger
from dispatcher.pipeline.admission import NotAdmittedError
from dispatcher.pipeline.editions import EditionError
from dispatcher.web.asking import context_of
from dispatcher.web.pages import at
from dispatcher.web.problems import problem

log = logger("api")

BUSY = 5.0  # seconds after which the database may answer again
MOST_FAULTS = 50
NOWHERE = "There is nothing at this address."
UNREADABLE = "The body cannot be read as JSON."


class Fault(BaseModel):
    """One thing that is wrong with what was sent: where, and what."""

    pointer: str | None = Field(None, description="Where in the body: a JSON Pointer as a URI fragment (RFC 6901 §6).")
    parameter: str | None = Field(None, description="Which parameter of the query, or which header.")
    detail: str = Field(description="What is wrong there.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="about:blank: the status says what kind of problem it is.")
    title: str = Field(description="The words of the status.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What is wrong with this very request, and what to do about it.")
    instance: str | None = Field(None, description="The path that was asked for.")
    errors: list[Fault] | None = Field(None, description="With 422: everything that is wrong.")


class ProblemError(Exception):
    """A request that is refused, with the status and the words to refuse it with."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Fault] = ()
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.errors = status, detail, dict(headers or {}), errors


def not_found(what: str) -> ProblemError:
    """There is no such thing, or none any more, and no telling which."""
    return ProblemError(404, f"There is no {what}.")


def answer(request: Request, error: Exception) -> Response:
    """The problem document for any error at all."""
    if not isinstance(error, ProblemError):
        error = _understood(error)
    more: dict[str, Any] = {"instance": _plain(at(context_of(request), request.url.path))}
    if error.errors:
        more["errors"] = [fault.model_dump(exclude_none=True) for fault in error.errors[:MOST_FAULTS]]
    return problem(_plain(error.detail), error.status, error.headers, **more)


def invalid(detail: str, pointer: str) -> ProblemError:
    """Something in the body, at a JSON Pointer, that only a closer look shows to be wrong."""
    return ProblemError(422, "What was sent is not valid.", errors=[Fault(pointer=pointer, detail=_plain(detail))])


def _understood(error: Exception) -> ProblemError:
    match error:
        case RequestValidationError():
            return _of_validation(error.errors())
        case HTTPException():
            return _of_status(error)
        case ClientDisconnect():
            return ProblemError(400, "The request ended before it was complete.")
        case QueryError():
            return invalid(str(error), "#/query")
        case NotAdmittedError() | SourceError() | EditionError():
            return ProblemError(409, _sentence(str(error)))
        case StoreError():
            log.error("the database refused", reason=str(error))
            wait = {"Retry-After": str(math.ceil(BUSY))}
            return ProblemError(503, "The database does not answer; nothing was changed.", headers=wait)
        case DispatcherError():
            return ProblemError(422, _sentence(str(error)))
        case _:
            log.error("a request failed on our side", exc_info=error)
            return ProblemError(500, "This is a mistake of ours; it has been noted.")


def _of_status(error: HTTPException) -> ProblemError:
    """What Starlette and the guard refuse: no such path or method, too much, too slow."""
    words = {400: UNREADABLE, 404: NOWHERE}.get(error.status_code, _sentence(str(error.detail)))
    return ProblemError(error.status_code, words, headers=error.headers)


def _of_validation(found: Sequence[Any]) -> ProblemError:
    """What is not well formed at all is 400, what names nothing 404, what breaks a rule 422 with all that is wrong."""
    if any(one["type"] == "json_invalid" for one in found):
        return ProblemError(400, f"The body is not JSON: {found[0].get('ctx', {}).get('error', 'it ends too early')}.")
    if any(one["loc"][0] == "path" for one in found):
        return ProblemError(404, NOWHERE)
    return ProblemError(422, "What was sent is not valid.", errors=[_fault(one) for one in found[:MOST_FAULTS]])


def _fault(one: Mapping[str, Any]) -> Fault:
    place, *rest = one["loc"]
    detail = _plain(str(one["msg"]))
    if place != "body":
        return Fault(parameter=_plain(str(rest[0])) if rest else None, detail=detail)
    steps = [_plain(str(step)).replace("~", "~0").replace("/", "~1") for step in rest]
    return Fault(pointer="#" + "".join(f"/{step}" for step in steps), detail=detail)


def _sentence(text: str) -> str:
    """Our errors begin small, for the command line puts a word in front of them."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _plain(text: str) -> str:
    """At most so much of what somebody sent us, fit to be sent back: lone surrogates are no UTF-8."""
    return text[:500].encode("utf-8", "replace").decode("utf-8")
