"""Short names for metadata, the same in every session.

Invariants: equal metadata have equal digests, in whatever order their keys come.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(metadata: dict[str, Any]) -> str:
    """Return 16 characters for a JSON object."""
    text = json.dumps(metadata, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
