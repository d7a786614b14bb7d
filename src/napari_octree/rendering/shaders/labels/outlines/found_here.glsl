// As kept.glsl, where there is no memory to keep outlines in: they are found anew in each frame.
vec4 drawn_label(vec2 place) {
    vec4 label = label_at(place);
    return is_outline(label, place) ? label : u_background;
}
