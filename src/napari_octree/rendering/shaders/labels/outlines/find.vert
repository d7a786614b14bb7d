// The tiles of an atlas, each in its own place.
attribute vec2 a_place;
attribute vec4 a_edges;
varying vec2 v_place;
varying vec4 v_edges;

void main() {
    v_place = a_place;
    v_edges = a_edges;
    gl_Position = vec4(a_place * 2.0 - 1.0, 0.0, 1.0);
}
