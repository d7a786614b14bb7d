// What is asked to be seen of the octree itself: levels, tile borders, failed tiles.
uniform float u_tint;        // how much of the level's colour
uniform float u_failed;      // how strong lines through failed tiles are; 0: there are none
uniform vec2 u_grid_width;   // half a framebuffer pixel in level-0 pixels (x, y); 0: no grid
varying vec4 v_tint;
varying vec4 v_border;

vec4 overlay(vec4 color) {
    float marks = floor(v_tint.a + 0.5);
    if (marks >= 4.0) {
        color = vec4(0.0);
    }
    color.rgb = mix(color.rgb, v_tint.rgb, mod(marks, 2.0) * u_tint);
    // Thin lines through which the coarser picture is seen.
    if (mod(marks, 4.0) >= 2.0 && mod(gl_FragCoord.x + gl_FragCoord.y, 16.0) < 2.0 && u_failed > 0.0) {
        color = mix(color, vec4(0.9, 0.25, 0.2, max(color.a, 0.7)), u_failed);
    }
    if (u_grid_width.x > 0.0) {
        vec2 near = min(v_border.xy, v_border.zw);
        if (near.x < u_grid_width.x || near.y < u_grid_width.y) {
            color.rgb = mix(color.rgb, vec3(1.0, 0.6, 0.1), 0.7);
        }
    }
    return color;
}
