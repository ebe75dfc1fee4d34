"""A collection of templates: ours, the operator's over them, and of the operator's those that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dispatcher.digest.files import Fault, FileMap, gather, version
from dispatcher.digest.openings import line_name, with_openings
from dispatcher.errors import TemplateError


@dataclass(frozen=True)
class Lines:
    """What config says of subjects and preheaders: the lines of a table by occasion, and the file it stands in."""

    table: str
    by_occasion: Mapping[str, str]
    file: str


@dataclass(frozen=True)
class Collection:
    """Templates by name. `written` stands for all that the operator wrote, whether it can be used or not."""

    ours: FileMap
    theirs: FileMap
    faults: tuple[Fault, ...] = ()
    written: str = ""

    @classmethod
    def read(cls, folder: Path, ours: Path, lines: tuple[Lines, ...] = ()) -> Collection:
        """Read both folders. What cannot be read of the operator's is among the faults."""
        files, faults = gather(folder)
        if folder.exists() and not folder.is_dir():
            faults = [Fault(str(folder), f"{folder}: [templates] folder names this, which is no folder")]
        for said in lines:
            for occasion, text in said.by_occasion.items():
                files[line_name(said.table, occasion)] = text, f"{said.file}: {said.table}.{occasion}"
        own, broken = gather(ours)
        if broken:
            raise TemplateError(broken[0].reason)
        written = version({**files, **{fault.name: (fault.reason, "") for fault in faults}})
        return cls(own, files, tuple(faults), written)

    @cached_property
    def files(self) -> FileMap:
        """What is in force."""
        return with_openings({**self.ours, **self.theirs})

    def without(self, fault: Fault) -> Collection:
        """The same with ours in the place of one of theirs."""
        rest = {name: one for name, one in self.theirs.items() if name != fault.name}
        return replace(self, theirs=rest, faults=(*self.faults, fault))

    def only(self, name: str) -> Collection:
        """Ours, and this one of theirs."""
        return replace(self, theirs={name: self.theirs[name]}, faults=())

    def without_any(self) -> Collection:
        """Ours alone."""
        return replace(self, theirs={}, faults=())
