// Colour of one pixel: look up, contrast limits, gamma, colour map; then what is asked to be seen
// of the octree itself.
uniform sampler2D u_texture;
varying vec2 v_texcoord;

void main() {
    gl_FragColor = $overlay($color_transform($get_data(v_texcoord)));
}
