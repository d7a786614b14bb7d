// The whole area of a label is drawn.
vec4 drawn_label(vec2 place) {
    return label_at(place);
}
