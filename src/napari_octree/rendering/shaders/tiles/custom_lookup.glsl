// A person's own kernel, sampled from the tile and its apron. As vispy's custom filter: what lies
// outside of the image contributes nothing.
vec4 tile_edges;
vec4 image_edges;
vec4 texture_lookup(vec2 texcoord) {
    vec2 texel = 1.0 / $shape;
    vec2 corner = texcoord - $kernel_shape / 2.0 * texel;
    vec4 color = vec4(0.0);
    for (float i = 0.5; i < $kernel_shape.x; i++) {
        for (float j = 0.5; j < $kernel_shape.y; j++) {
            vec2 place = corner + vec2(i, j) * texel;
            bool inside = all(greaterThanEqual(place, image_edges.xy))
                && all(lessThanEqual(place, image_edges.zw));
            if (inside) {
                float weight = texture2D($kernel, vec2(i, j) / $kernel_shape).r;
                vec2 nearest = clamp(place, tile_edges.xy, tile_edges.zw);
                color += texture2D($texture, nearest) * weight;
            }
        }
    }
    return color;
}
