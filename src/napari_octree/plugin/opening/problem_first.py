"""How a message of what cannot be opened is told in a notice of the window."""

from __future__ import annotations


def problem_first(message: str, path: str) -> str:
    """A message that begins with a path, or one below it, with that at its end.

    Notices are narrow.
    """
    problem, _, _ = message.partition("\n\n")  # what libraries add is for those who mend them
    where, _, rest = problem.partition(": ")
    if not (path and rest and where.startswith(path)):
        return problem
    return f"{rest[:1].upper()}{rest[1:]}\n{where}"
