// Labels of 32 or 64 bits.
vec4 label_at(vec2 place) {
    vec4 texel = texture2D($texture, clamp(place, tile_edges.xy, tile_edges.zw));
    return floor(texel * LARGEST_WORD + 0.5);
}
