// Outlines as napari's, which are made by a dilation and an erosion: a texel is kept if one of its four
// neighbours differs, or if a lower label lies within `u_contour` steps along the axes. A place beyond
// the image is its nearest texel, which is no farther away.
uniform float u_contour;
uniform vec2 u_texel;           // of the atlas

bool is_lower(vec4 a, vec4 b) {
    if (a.a != b.a) {
        bvec2 negative = greaterThanEqual(vec2(a.a, b.a), vec2(u_negative_from));
        return negative.x == negative.y ? a.a < b.a : negative.x;
    }
    if (a.b != b.b) {
        return a.b < b.b;
    }
    return a.g != b.g ? a.g < b.g : a.r < b.r;
}

bool is_outline(vec4 label, vec2 place) {
    int reach = int(u_contour + 0.5);
    for (int dy = -reach; dy <= reach; dy++) {
        int width = reach - (dy < 0 ? -dy : dy);
        for (int dx = -width; dx <= width; dx++) {
            vec4 other = label_at(place + vec2(float(dx), float(dy)) * u_texel);
            if (other != label && (dx * dx + dy * dy == 1 || is_lower(other, label))) {
                return true;
            }
        }
    }
    return false;
}
