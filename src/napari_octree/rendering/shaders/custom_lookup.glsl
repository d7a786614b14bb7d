// A person's own kernel, sampled from the tile and its apron. As vispy's custom filter: what lies
// outside of the image contributes nothing.
varying vec4 v_tile;
varying vec4 v_image;
vec4 texture_lookup(vec2 texcoord) {
    vec2 texel = 1.0 / $shape;
    vec2 corner = texcoord - $kernel_shape / 2.0 * texel;
    vec4 color = vec4(0.0);
    for (float i = 0.5; i < $kernel_shape.x; i++) {
        for (float j = 0.5; j < $kernel_shape.y; j++) {
            vec2 place = corner + vec2(i, j) * texel;
            if (all(greaterThanEqual(place, v_image.xy)) && all(lessThanEqual(place, v_image.zw))) {
                float weight = texture2D($kernel, vec2(i, j) / $kernel_shape).r;
                color += texture2D($texture, clamp(place, v_tile.xy, v_tile.zw)) * weight;
            }
        }
    }
    return color;
}
