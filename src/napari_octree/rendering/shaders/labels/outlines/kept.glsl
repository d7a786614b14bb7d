// Only outlines are drawn: all else becomes background. Where they are was found before.
uniform sampler2D u_outlines;

vec4 drawn_label(vec2 place) {
    bool is_outline = texture2D(u_outlines, clamp(place, tile_edges.xy, tile_edges.zw)).r > 0.5;
    return is_outline ? label_at(place) : u_background;
}
