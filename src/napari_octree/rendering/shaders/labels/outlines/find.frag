// 1 where a texel belongs to an outline.
varying vec2 v_place;
varying vec4 v_edges;

void main() {
    tile_edges = v_edges;
    gl_FragColor = vec4(is_outline(label_at(v_place), v_place) ? 1.0 : 0.0);
}
