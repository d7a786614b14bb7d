// Colours between those of the four nearest pixels of a smaller picture; the depth of the nearest.
// What was not hit has the depth 1, and takes no part.
uniform sampler2D u_colour;
uniform sampler2D u_depth;
uniform vec2 u_size;
varying vec2 v_clip;

void main() {
    vec2 place = (v_clip * 0.5 + 0.5) * u_size - 0.5;
    vec2 first = floor(place);
    vec2 part = place - first;
    vec4 colour = vec4(0.0);
    float hit = 0.0;
    float largest = 0.0;
    for (int n = 0; n < 4; n++) {
        vec2 corner = vec2(n == 1 || n == 3 ? 1.0 : 0.0, n > 1 ? 1.0 : 0.0);
        vec2 shares = mix(1.0 - part, part, corner);
        float share = shares.x * shares.y;
        vec2 texel = (first + corner + 0.5) / u_size;
        float depth = texture2D(u_depth, texel).r;
        if (depth < 1.0) {
            colour += share * texture2D(u_colour, texel);
            hit += share;
            if (share >= largest) {
                largest = share;
                gl_FragDepth = depth;
            }
        }
    }
    if (hit < 0.5) discard;
    gl_FragColor = colour / hit;
}
