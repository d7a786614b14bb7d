// One quad per piece of the cover, drawn in one call.
// Positions are relative to an origin near the view, so that float32 is exact where it matters:
// the float64 matrix that goes with them is composed on the CPU.
uniform mat4 u_octree_matrix;
attribute vec4 a_corner;   // position (xy), and where in the atlas (zw)
attribute vec4 a_tile;     // where sampling is clamped: first and last texel centre of the tile
attribute vec4 a_image;    // borders of the whole image, as far as they are near
varying vec2 v_texcoord;
varying vec4 v_tile;
varying vec4 v_image;

void main() {
    v_texcoord = a_corner.zw;
    v_tile = a_tile;
    v_image = a_image;
    $mark();
    $fade();
    gl_Position = u_octree_matrix * vec4(a_corner.xy, 0.0, 1.0);
}
