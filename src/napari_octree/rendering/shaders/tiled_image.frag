// Colour of one pixel: look up, contrast limits, gamma, colour map; then what is asked to be seen
// of the octree itself.
uniform sampler2D u_texture;
uniform float u_tint;        // 1: colour tiles by level
uniform vec2 u_grid_width;   // half a framebuffer pixel in level-0 pixels (x, y); 0: no grid
varying vec2 v_texcoord;
varying vec4 v_tint;
varying vec4 v_border;

void main() {
    float marks = floor(v_tint.a + 0.5);
    bool nothing = marks >= 4.0;
    bool failed = mod(marks, 4.0) >= 2.0;
    vec4 color = nothing ? vec4(0.0) : $color_transform($get_data(v_texcoord));
    color.rgb = mix(color.rgb, v_tint.rgb, mod(marks, 2.0) * u_tint);
    if (failed && mod(gl_FragCoord.x + gl_FragCoord.y, 16.0) < 3.0) {
        color = vec4(0.9, 0.25, 0.2, max(color.a, 0.7));
    }
    if (u_grid_width.x > 0.0) {
        vec2 near = min(v_border.xy, v_border.zw);
        if (near.x < u_grid_width.x || near.y < u_grid_width.y) {
            color.rgb = mix(color.rgb, vec3(1.0, 0.6, 0.1), 0.7);
        }
    }
    gl_FragColor = color;
}
