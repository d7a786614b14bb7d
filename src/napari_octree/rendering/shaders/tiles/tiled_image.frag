// Colour of one pixel: look up, contrast limits, gamma, colour map; where a tile has just come, mixed
// with what was there before; then what is asked to be seen of the octree itself.
// A lookup samples within `tile_edges`, of an image that ends at `image_edges`: it declares them.
uniform sampler2D u_texture;
varying vec2 v_texcoord;
varying vec4 v_tile;
varying vec4 v_image;

void main() {
    tile_edges = v_tile;
    image_edges = v_image;
    gl_FragColor = $overlay($fade($color_transform($get_data(v_texcoord))));
}
