"""What a worker has of what the configuration allows all of them together."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.config import Settings


@dataclass(frozen=True, slots=True)
class Share:
    """The place of one worker among so many, counted from 1."""

    number: int
    of: int

    @staticmethod
    def parse(text: str) -> Share:
        """A share from words like "1/2"."""
        number, _, of = text.partition("/")
        return Share(int(number), int(of))

    def part(self, whole: int) -> int:
        """This one's part of a number of things, so that the parts make up the whole; but at least one thing."""
        return max(whole // self.of + (self.number <= whole % self.of), 1)


def settings_for(share: Share, settings: Settings) -> Settings:
    """The settings with this worker's part of each relay's connections."""
    relays = tuple(
        relay.model_copy(update={"max_connections": share.part(relay.max_connections)}) for relay in settings.smtp
    )
    return settings.model_copy(update={"smtp": relays})
