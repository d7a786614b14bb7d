// What a lookup of labels needs, where nothing is coloured.
uniform sampler2D u_texture;
uniform float u_negative_from;  // from this highest word on a label is negative
vec4 tile_edges;

