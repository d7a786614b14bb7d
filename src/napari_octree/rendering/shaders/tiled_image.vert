// One quad per piece of the cover, drawn in one call.
// Positions are relative to an origin near the view, so that float32 is exact where it matters:
// the float64 matrix that goes with them is composed on the CPU.
uniform mat4 u_octree_matrix;
attribute vec2 a_position;
attribute vec2 a_texcoord;
attribute vec4 a_tile;     // where sampling is clamped: first and last texel centre of the tile
attribute vec4 a_image;    // borders of the whole image, as far as they are near
attribute vec4 a_tint;     // colour of the level; alpha: 1 if it applies, +2 failed, +4 nothing
attribute vec4 a_border;   // distance to the tile's left, top, right, bottom edge, level-0 pixels
varying vec2 v_texcoord;
varying vec4 v_tile;
varying vec4 v_image;
varying vec4 v_tint;
varying vec4 v_border;

void main() {
    v_texcoord = a_texcoord;
    v_tile = a_tile;
    v_image = a_image;
    v_tint = a_tint;
    v_border = a_border;
    gl_Position = u_octree_matrix * vec4(a_position, 0.0, 1.0);
}
