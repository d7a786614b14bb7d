// What is asked to be seen of the octree itself: levels, tile borders, failed tiles.
uniform float u_ring;        // which outline tells the level, 1 the outermost; 0: none does
uniform float u_rings;       // how many outlines there are, those of other layers among them
uniform vec2 u_pixel;        // a framebuffer pixel in level-0 pixels (x, y)
uniform float u_failed;      // how strong lines through failed tiles are; 0: there are none
uniform vec2 u_grid_width;   // half a line in level-0 pixels (x, y); 0: no grid
varying vec4 v_tint;
varying vec4 v_border;

// In framebuffer pixels: width of an outline, side of the patch in the tile's first corner.
const float RING = 2.0;
const float PATCH = 12.0;

vec4 overlay(vec4 color) {
    float marks = floor(v_tint.a + 0.5);
    if (marks >= 4.0) {
        color = vec4(0.0);
    }
    // Thin lines through which the coarser picture is seen.
    if (mod(marks, 4.0) >= 2.0 && mod(gl_FragCoord.x + gl_FragCoord.y, 16.0) < 2.0 && u_failed > 0.0) {
        color = mix(color, vec4(0.9, 0.25, 0.2, max(color.a, 0.7)), u_failed);
    }
    if (u_ring > 0.0 && mod(marks, 2.0) >= 1.0) {
        // The picture itself keeps its colours. Where another layer's outline is, nothing is drawn, so
        // that its colour is right also where layers are added up.
        vec4 inside = v_border / u_pixel.xyxy;
        vec2 near = min(inside.xy, inside.zw);
        float outline = floor(min(near.x, near.y) / RING) + 1.0;
        float patches = floor(inside.x / PATCH) + 1.0;
        float mark = inside.y < PATCH && patches <= u_rings ? patches : outline;
        if (mark == u_ring) {
            color = vec4(v_tint.rgb, 1.0);
        } else if (mark <= u_rings) {
            color = vec4(0.0);
        }
    }
    if (u_grid_width.x > 0.0) {
        vec2 near = min(v_border.xy, v_border.zw);
        if (near.x < u_grid_width.x || near.y < u_grid_width.y) {
            color.rgb = mix(color.rgb, vec3(1.0, 0.6, 0.1), 0.7);
        }
    }
    return color;
}
