// A person's own kernel, sampled from the tile and its apron; as vispy's custom filter.
varying vec4 v_tile;
vec4 texture_lookup(vec2 texcoord) {
    vec2 texel = 1.0 / $shape;
    vec2 corner = texcoord - $kernel_shape / 2.0 * texel;
    vec4 color = vec4(0.0);
    for (float i = 0.5; i < $kernel_shape.x; i++) {
        for (float j = 0.5; j < $kernel_shape.y; j++) {
            vec2 place = clamp(corner + vec2(i, j) * texel, v_tile.xy, v_tile.zw);
            float weight = texture2D($kernel, vec2(i, j) / $kernel_shape).r;
            color += texture2D($texture, place) * weight;
        }
    }
    return color;
}
