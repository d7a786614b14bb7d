"""What people are told about failed reads: one value per source and cause."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from napari_octree.sources.errors import message_of, plain_words
from napari_octree.sources.identity import SourceGroup


@dataclass(frozen=True)
class LoadFailure:
    """Chunks of a source that could not be loaded, for one cause.

    Attributes
    ----------
    source_name : str
    cause : str
        A short name: "HTTP 403", "TimeoutError", "connection refused".
    message : str
        Of the first such error.
    count : int
        How often so far.
    group : SourceGroup or None
        What failed, for those who want to know which layers show it.
    """

    source_name: str
    cause: str
    message: str
    count: int = 1
    group: SourceGroup | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        source_name: str,
        cause: str,
        error: BaseException,
        group: SourceGroup | None = None,
    ) -> LoadFailure:
        """Return what is told of an error; a cause that is only its type gives way to words."""
        words = plain_words(error)
        if words is None:
            return cls(source_name, cause, message_of(error), group=group)
        cause = words if cause == type(error).__name__ else cause
        return cls(source_name, cause, "", group=group)

    def again(self) -> LoadFailure:
        """Return the same, counted once more."""
        return replace(self, count=self.count + 1)

    @property
    def problem(self) -> str:
        """What is wrong: the cause, and what the first error said."""
        return f"{self.cause}: {self.message}" if self.message else self.cause

    def __str__(self) -> str:
        """Say the problem first, then the address, once."""
        where = "" if self.source_name in self.message else f" ({self.source_name})"
        return f"Chunks could not be read: {self.problem}{where}"
