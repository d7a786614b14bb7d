"""How long the GPU takes for what it is told (vispy 0.17)."""

from __future__ import annotations

import numpy as np
from OpenGL import GL
from vispy.gloo import gl


def finish_all() -> None:
    """Wait until the current context has done all that it was asked for."""
    gl.glFinish()


class GpuTimer:
    """GL's own clock of what is done from now on until `stop`."""

    def __init__(self) -> None:
        self._query: int | None = None
        if bool(GL.glQueryCounter):  # with OpenGL 3.3 came the timers
            self._query = int(np.ravel(GL.glGenQueries(1))[0])
            GL.glBeginQuery(GL.GL_TIME_ELAPSED, self._query)

    def stop(self) -> None:
        """End what is timed."""
        if self._query is not None:
            GL.glEndQuery(GL.GL_TIME_ELAPSED)

    def ms(self) -> float | None:
        """Milliseconds, once GL has done it (else this waits); None where GL has no clock."""
        if self._query is None:
            return None
        # PyOpenGL cannot make room for 64 bits; these last for four seconds.
        nanoseconds = np.zeros(1, np.uint32)
        GL.glGetQueryObjectuiv(self._query, GL.GL_QUERY_RESULT, nanoseconds)
        GL.glDeleteQueries(1, [self._query])
        self._query = None
        return float(nanoseconds[0]) / 1e6
