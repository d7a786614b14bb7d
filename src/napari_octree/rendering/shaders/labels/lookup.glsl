// The colour of the label at a place: what is drawn of it (its area or its outline), whether it is
// shown at all, and its colour are told by the files that are compiled with this one.
// A label is four words, integers in float32, the lowest first.
uniform vec4 u_background;
uniform float u_negative_from;  // from this highest word on a label is negative
vec4 tile_edges;
vec4 image_edges;
vec4 drawn_label(vec2 place);
bool is_hidden(vec4 label);
vec4 label_colour(vec4 label);

vec4 texture_lookup(vec2 texcoord) {
    vec4 label = drawn_label(texcoord);
    return is_hidden(label) ? vec4(0.0) : label_colour(label);
}
