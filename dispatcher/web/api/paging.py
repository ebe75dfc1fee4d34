"""Pages of a list, newest first. A cursor says where the last one ended; what is added meanwhile does not move it."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from dispatcher.web.api.fields import LARGEST
from dispatcher.web.api.problems import ProblemError

MOST, USUAL = 200, 50
Item = TypeVar("Item", bound=BaseModel)


class Paging(BaseModel):
    """Which page of a list. A parameter that is not known is an error: a misspelt filter would show everything."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MOST, description="At most so many.")] = USUAL
    cursor: Annotated[str, Field(max_length=100, description="`next_cursor` of the page before.")] = ""


class Listed(BaseModel, Generic[Item]):
    """One page of a list, newest first. `next_cursor` is null at its end."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is asked for: one row more than is shown tells whether there is another."""

    kind: str
    limit: int
    before: int | None

    @property
    def reach(self) -> int:
        """How many rows to ask the store for."""
        return self.limit + 1

    def cut(self, ids: Sequence[int]) -> str | None:
        """The cursor behind this page, if these ids, of `reach` rows at most, do not all stand on it."""
        return _write(self.kind, ids[self.limit - 1]) if len(ids) > self.limit else None


def page_of(kind: str, asked: Paging) -> Page:
    """The page that a request asks for. ProblemError 400 for a cursor that we did not give out for this list."""
    return Page(kind, asked.limit, _read(kind, asked.cursor) if asked.cursor else None)


def link_to_next(request: Request, path: str, cursor: str) -> str:
    """The Link header (RFC 8288) that leads to the next page, of the same list with the same filters."""
    query = request.url.include_query_params(cursor=cursor).query
    return f'<{path}?{query}>; rel="next"'


def _write(kind: str, number: int) -> str:
    body = f"{kind}.{number}".encode()
    return base64.urlsafe_b64encode(body + zlib.crc32(body).to_bytes(4)).rstrip(b"=").decode()


def _read(kind: str, cursor: str) -> int:
    """Only what `_write` wrote, in its one spelling."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, _, number = raw[:-4].decode("ascii").partition(".")
        if name == kind and number.isdigit() and int(number) <= LARGEST and _write(kind, int(number)) == cursor:
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise ProblemError(400, "This cursor is damaged, or belongs to another list: begin again without one.")
