// Labels of 8 and 16 bits: each has its entry.
vec4 label_colour(vec4 label) {
    return colour_at(label.r);
}
