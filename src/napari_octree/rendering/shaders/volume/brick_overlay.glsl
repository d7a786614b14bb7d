// What is asked to be seen of the octree itself, at the place that a ray shows: the level, the
// borders of bricks; and where a ray has crossed bricks that could not be loaded.
uniform float octree_tint;           // how much of the level's colour; 0: levels are not shown
uniform float octree_line_width;     // half a line in voxels, per unit of depth w
uniform float octree_grid_width;     // the same; 0: no grid
uniform vec4 octree_tints[24];       // of each level

vec4 overlay(vec4 color, vec3 place, float w, bool failed) {
    if (octree_tint > 0.0 || octree_grid_width > 0.0) {
        enter_brick(place);
        // As bright as it was: black stays black, and what is added up is no brighter.
        vec3 tint = octree_tints[brick_level].rgb;
        float light = max(color.r, max(color.g, color.b)) / max(tint.r, max(tint.g, tint.b));
        color.rgb = mix(color.rgb, tint * light, octree_tint);
        vec3 low = cell_offset / cell_scale;
        vec3 high = low + octree_cells / cell_scale;
        float width = octree_grid_width * w;
        // Not the faces of the whole: a ray that ends there is near to them all over.
        bvec3 first = lessThan(low, octree_box_low + 0.5);
        bvec3 last = greaterThan(high, octree_box_high - 0.5);
        vec3 near = min(
            choose(abs(place - low), vec3(FAR), first), choose(abs(high - place), vec3(FAR), last)
        );
        float nearest = min(near.x, min(near.y, near.z));
        if (octree_tint > 0.0 && nearest < 2.0 * octree_line_width * w) {
            color = vec4(tint, max(color.a, 0.9));
        }
        if (nearest < width) {
            color.rgb = mix(color.rgb, vec3(1.0, 0.6, 0.1), 0.7);
        }
    }
    if (failed && mod(gl_FragCoord.x + gl_FragCoord.y, 16.0) < 2.0) {
        color = mix(color, vec4(0.9, 0.25, 0.2, max(color.a, 0.7)), 0.6);
    }
    return color;
}
