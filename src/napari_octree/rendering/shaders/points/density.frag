uniform sampler2D u_counts;
uniform vec4 u_colour;
uniform float u_per_pixel; // from a cell's count to points per pixel of the framebuffer
uniform float u_dot;       // pixels that a point covers
uniform float u_mode;      // 0: as points over one another; 1: linear; 2: logarithmic
uniform float u_most;      // count that is full colour, in the latter modes

varying vec2 v_texel;
varying float v_missing;

void main() {
    if (any(lessThan(v_texel, vec2(0.0))) || any(greaterThan(v_texel, vec2(1.0)))) { discard; }
    float count = texture2D(u_counts, v_texel).r;
    float alpha;
    if (u_mode < 0.5) {
        // The mean of dots that fall at random: what many of them drawn over one another look like.
        alpha = 1.0 - exp(-u_colour.a * u_dot * count * u_per_pixel * v_missing);
    } else {
        float part = clamp(count / u_most, 0.0, 1.0);
        alpha = u_colour.a * (u_mode < 1.5 ? part : log(1.0 + 1000.0 * part) / log(1001.0));
    }
    if (alpha <= 0.0) { discard; }
    gl_FragColor = vec4(u_colour.rgb, alpha);
}
