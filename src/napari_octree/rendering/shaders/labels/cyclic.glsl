// Colours in turn: label v has that of (v - 1) mod n + 1, and the background none.
uniform vec4 u_least;           // the least label of the type: v - 1 wraps around there
uniform float u_least_colour;
uniform float u_count;          // n

float label_modulo(vec4 label);

vec4 label_colour(vec4 label) {
    if (label == u_background) {
        return vec4(0.0);
    }
    if (label == u_least) {
        return colour_at(u_least_colour);
    }
    return colour_at(1.0 + modulo(label_modulo(label) + u_count - 1.0, u_count));
}
