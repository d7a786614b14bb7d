"""What a graphics card makes of it, in five minutes: `python -m benchmarks.gpu [RESULT.json]`.

Frame times beside stock's, rates of uploads, volumes, and whether textures stay within
`memory.vram_bytes`, with the name of the renderer. Without a display it starts Xvfb for itself;
NVIDIA's driver then draws windows of GLX if it is named (``__GLX_VENDOR_LIBRARY_NAME=nvidia``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.processes import ROOT, run_session, write_report

MINUTES = 5.0
SCREEN = "-screen 0 2560x1440x24 +extension GLX"
VRAM_BYTES = 2**27


def drawn() -> dict[str, Any]:
    """Frames, uploads and the memory of textures, measured in a window of this process."""
    from benchmarks import draw
    from vispy.gloo import gl

    scene = draw.Scene()
    scene.canvas.set_current()
    found: dict[str, Any] = {
        "renderer": gl.glGetParameter(gl.GL_RENDERER),
        "version": gl.glGetParameter(gl.GL_VERSION),
        "draw, ms per frame": draw.draw_against_stock(scene, 4),
        "Python per frame, ms": draw.python_per_frame(scene, 1),
    }
    for texels in (64, 256, 512):
        found[f"upload of {texels}²"] = draw.uploads(scene, texels)
    found["budget"] = draw.budget(scene, 500)
    found["idle"] = draw.idle(scene, 10)
    found["memory of textures"] = textures(scene)
    scene.viewer.close()
    return found


def textures(scene: Any) -> dict[str, float]:
    """Bytes of all textures after a look at the whole and at the pixels of two large layers."""
    import numpy as np
    from benchmarks.draw import image, pump

    from napari_octree import OctreeConfig, OctreeImage
    from napari_octree.rendering.gpu.vram import VRAM

    config = OctreeConfig(memory={"vram_bytes": VRAM_BYTES})
    pixels = image(8192)
    scene.viewer.layers.clear()
    for shift in (0, 1):
        levels = [np.roll(pixels, shift)[:: 2**k, :: 2**k] for k in range(5)]
        scene.viewer.add_layer(OctreeImage(levels, config=config, contrast_limits=(0, 65535)))
    most = 0
    for zoom in (0.1, 0.3, 1.0, 3.0):
        scene.viewer.scene.camera.zoom = zoom
        pump(0.5)
        most = max(most, VRAM.held_bytes)
    return {"held at most": most, "limit": VRAM_BYTES, "device MiB": device_mib()}


def device_mib() -> float:
    """MiB that the driver says are used; -1 where nobody says."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return -1.0
    words = [tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = ran.stdout.split()
    return float(lines[0]) if ran.returncode == 0 and lines else -1.0


def sessions(ends: float) -> dict[str, Any]:
    """Scripts of the harness on data in memory, stock and ours in turns, while there is time."""
    from benchmarks.compare.data import write

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for scenario, kind, size in (("volume", "volume", 256), ("browse 1080p", "plane", 8192)):
            folder = write(kind, Path(scratch), size)
            for peer in ("stock-sync", "ours"):
                if monotonic() > ends:
                    return found
                words = (scenario, peer, "ram", folder, "-")
                played = run_session("benchmarks.compare.play", words, Path(scratch), 120)
                found[f"{scenario}, {peer}"] = played
    return found


def main() -> None:
    """Measure and write."""
    result = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "benchmarks/results/gpu.json"
    if not os.environ.get("DISPLAY"):
        words = ["xvfb-run", "-a", "-s", SCREEN, sys.executable, "-m", "benchmarks.gpu", result]
        raise SystemExit(subprocess.run(words, cwd=ROOT, check=False).returncode)
    ends = monotonic() + 60 * MINUTES - 60
    found = drawn()
    write_report(result, **found)  # already, should the rest not come to an end
    write_report(result, **found, sessions=sessions(ends))
    print(f"{found['renderer']}: written to {result}")


if __name__ == "__main__":
    main()
