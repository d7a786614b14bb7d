// A tile that has just come, mixed with what was shown in its place before. Colours are weighted with
// their opacity: so, blended into whatever lies below, the result is between that of the two.
varying vec3 v_under;           // weight (z) above 1: the tile alone
varying vec4 v_under_tile;
varying vec4 v_under_image;

vec4 fade(vec4 color) {
    if (v_under.z > 1.0) {
        return color;
    }
    tile_edges = v_under_tile;
    image_edges = v_under_image;
    vec4 under = $color_transform($get_data(v_under.xy));
    float alpha = mix(under.a, color.a, v_under.z);
    vec3 rgb = mix(under.rgb * under.a, color.rgb * color.a, v_under.z);
    return vec4(alpha > 0.0 ? rgb / alpha : color.rgb, alpha);
}
