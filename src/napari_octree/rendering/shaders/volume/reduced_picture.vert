// Two triangles over the whole view port.
attribute vec2 a_position;
varying vec2 v_clip;
void main() {
    v_clip = a_position;
    gl_Position = vec4(a_position, 0.0, 1.0);
}
