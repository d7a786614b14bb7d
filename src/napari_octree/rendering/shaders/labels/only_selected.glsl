// Only one label is shown.
uniform vec4 u_selected;

bool is_hidden(vec4 label) {
    return label != u_selected;
}
