"""One scenario with one peer on one store; started by `benchmarks.compare` in a process.

Usage: python -m benchmarks.compare.play SCENARIO PEER STORE FOLDER WATCH RESULT.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.compare.peers import PEERS
from benchmarks.compare.scenarios import NEAR_AND_FAR, SCENARIOS
from benchmarks.compare.session import Session
from benchmarks.compare.stores import opened


def main() -> None:
    """Play what the arguments ask for and write its figures."""
    scenario, peer, store, folder, watch, result = sys.argv[1:]
    with opened(store, Path(folder), peer) as data:
        played = SCENARIOS[scenario]
        idles = store in NEAR_AND_FAR and scenario == "browse"
        session = Session(PEERS[peer], data, watch == "watch", played.canvas, idles)
        played.play(session)
        Path(result).write_text(json.dumps(session.result()), encoding="utf-8")
        session.viewer.close()


if __name__ == "__main__":
    main()
