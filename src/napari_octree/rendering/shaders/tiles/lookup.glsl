// Nearest and linear sampling by the hardware, clamped to the tile and its apron.
vec4 tile_edges;
vec4 image_edges;
vec4 texture_lookup(vec2 texcoord) {
    return texture2D($texture, clamp(texcoord, tile_edges.xy, tile_edges.zw));
}
