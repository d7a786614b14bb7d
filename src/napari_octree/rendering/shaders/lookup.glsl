// Nearest and linear sampling by the hardware, clamped to the tile and its apron.
varying vec4 v_tile;
vec4 texture_lookup(vec2 texcoord) {
    return texture2D($texture, clamp(texcoord, v_tile.xy, v_tile.zw));
}
