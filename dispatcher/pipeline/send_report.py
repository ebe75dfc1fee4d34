"""What a send did."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from dispatcher.model.values import DeliveryStatus


@dataclass(slots=True)
class SendReport:
    """What a send did, by outcome."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    held: int = 0
    expired: int = 0
    suppressed: int = 0
    recovered: int = 0

    def count(self, status: DeliveryStatus) -> None:
        """Count one delivery."""
        setattr(self, status.value, getattr(self, status.value) + 1)

    def __add__(self, other: SendReport) -> SendReport:
        return SendReport(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))
