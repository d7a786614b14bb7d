// The colour of a label; none, of alpha 0, where it is not shown.
// A label is four words, integers in float32, the lowest first.
uniform vec4 u_background;
uniform float u_negative_from;  // from this highest word on a label is negative
bool is_hidden(vec4 label);
vec4 label_colour(vec4 label);

vec4 shown_colour(vec4 label) {
    return is_hidden(label) ? vec4(0.0) : label_colour(label);
}
