"""`octree.log_path`: what is planned, as lines of a file."""

import logging

from napari_octree.layers.views.plan_log import _HANDLERS, log_plans


def test_each_plan_is_one_line_however_many_layers_ask(tmp_path):
    path = tmp_path / "plans.log"
    for _ in range(2):
        log_plans(path)
    log_plans(None)
    plans = logging.getLogger("napari_octree.octree")
    plans.debug("level %d", 3)
    handler = _HANDLERS.pop(path)
    plans.removeHandler(handler)
    plans.setLevel(logging.NOTSET)
    handler.close()
    (line,) = path.read_text().splitlines()
    assert line.endswith("level 3")
