attribute vec4 a_place;    // clip coordinates
attribute vec2 a_texel;    // in the picture, 0 … 1
attribute float a_missing; // part of the points here that is not drawn

varying vec2 v_texel;
varying float v_missing;

void main() {
    v_texel = a_texel;
    v_missing = a_missing;
    gl_Position = a_place;
}
