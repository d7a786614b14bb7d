"""What people are told about failed reads: one value per source and cause."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class LoadFailure:
    """Chunks of a source that could not be loaded, for one cause.

    Attributes
    ----------
    source_name : str
    cause : str
        A short name: "HTTP 403", "TimeoutError".
    message : str
        Of the first such error.
    count : int
        How often so far.
    """

    source_name: str
    cause: str
    message: str
    count: int = 1

    def again(self) -> LoadFailure:
        """Return the same, counted once more."""
        return replace(self, count=self.count + 1)

    def __str__(self) -> str:
        return f"{self.source_name}: chunks cannot be loaded ({self.cause}: {self.message})"
