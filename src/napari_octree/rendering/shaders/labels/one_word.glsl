// Labels of 8 or 16 bits.
vec4 label_at(vec2 place) {
    float texel = texture2D($texture, clamp(place, tile_edges.xy, tile_edges.zw)).r;
    return vec4(floor(texel * LARGEST_WORD + 0.5), 0.0, 0.0, 0.0);
}
