// All labels are shown.
bool is_hidden(vec4 label) {
    return false;
}
