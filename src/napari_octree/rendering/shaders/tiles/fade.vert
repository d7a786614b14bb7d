// What `fade.glsl` goes by.
attribute vec3 a_under;         // where in the atlas that is which was shown before (xy); weight (z)
attribute vec4 a_under_tile;    // as a_tile, of that
attribute vec4 a_under_image;   // as a_image, of that
varying vec3 v_under;
varying vec4 v_under_tile;
varying vec4 v_under_image;

void fade() {
    v_under = a_under;
    v_under_tile = a_under_tile;
    v_under_image = a_under_image;
}
