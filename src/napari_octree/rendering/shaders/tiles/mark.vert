// What `overlay.glsl` goes by.
attribute vec4 a_tint;     // colour of the level; alpha: 1, +2 failed, +4 nothing to show
attribute vec4 a_border;   // distance to the tile's left, top, right, bottom edge, level-0 pixels
varying vec4 v_tint;
varying vec4 v_border;

void mark() {
    v_tint = a_tint;
    v_border = a_border;
}
