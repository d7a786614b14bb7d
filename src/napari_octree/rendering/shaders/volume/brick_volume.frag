// Ray casting through an octree of bricks. What precedes this in the program is vispy's own:
// contrast, colour map and lighting.
//
// Samples of a level lie on one lattice along the whole ray, whatever bricks they fall into: where
// all bricks are of level 0 they are the samples of vispy's volume, and no step is cut or doubled
// where bricks meet. A sample of a coarser level, or of longer steps while the camera moves, stands
// for `weight` samples of level 0 in full quality.

uniform vec3 octree_ray;            // place of the view's centre, on the plane through the focus
uniform vec3 octree_ray_x;          // and how it moves across the view
uniform vec3 octree_ray_y;
uniform vec3 octree_sight;          // direction of sight there
uniform vec3 octree_sight_x;
uniform vec3 octree_sight_y;
uniform vec4 octree_near;           // the near plane: positive beyond it
uniform vec4 octree_depth_z;        // from places to depth
uniform vec4 octree_depth_w;
uniform vec3 octree_plane_normal;
uniform float octree_plane_distance;
uniform float octree_fade;
uniform float octree_clear;         // up to this value all colours are transparent
uniform float octree_step_factor;   // how much longer steps are than in full quality

#define MAX_ROUNDS 16384
#define SMALL 1e-3

vec3 nonzero(vec3 v) {
    return choose(v, vec3(1e-12), lessThan(abs(v), vec3(1e-12)));
}

vec4 choose(vec4 large, vec4 small, vec4 by) {
    return vec4(
        by.r < SMALL ? small.r : large.r,
        by.g < SMALL ? small.g : large.g,
        by.b < SMALL ? small.b : large.b,
        by.a < SMALL ? small.a : large.a
    );
}

// What `count` samples of a value, each covering that share of what lies behind it, cover together:
// 1 - (1 - share)^count, exact also where it is so small that 1 - share is 1.
vec4 gathered(vec4 share, float count) {
    vec4 log_rest = count * choose(log(max(1.0 - share, 1e-30)), -share * (1.0 + 0.5 * share), share);
    return choose(1.0 - exp(log_rest), -log_rest * (1.0 + 0.5 * log_rest), abs(log_rest));
}

void main() {
    vec3 frag_depth_point;
    vec3 ray_origin = octree_ray + v_clip.x * octree_ray_x + v_clip.y * octree_ray_y;
    view_ray = normalize(octree_sight + v_clip.x * octree_sight_x + v_clip.y * octree_sight_y);

    $raycasting_setup

    // The lattice of samples begins at t_first, but is counted from the sample next to the focus:
    // far from it float32 cannot tell samples apart.
    float anchor = t_first + fine_step * floor(max(-t_first, 0.0) / fine_step);
    vec2 clipped = $clip_with_planes(march_origin, march_direction);
    float t = max(t_first, clipped.x);
    float t_end = min(t_last, clipped.y);
    bvec3 forward = greaterThan(inverse, vec3(0.0));

    $before_loop

    bool done = false;
    bool texture_sampled = false;  // else only what is clipped, or not loaded, was crossed
    bool loaded = false;
    float brick_exit = t;
    float patience = 1.0;
    float visit = 0.0;             // of bricks, counted
    bool failed = false;           // something on the way could not be loaded
    float weight = 1.0;
    float brick_step = fine_step;
    vec3 stride = march_direction * fine_step;
    vec3 loc = march_origin;
    if (t_end <= t) discard;
    // Loops end at their ends, not where they begin: software renderers, which draw several pixels at
    // a time, would go through the body once more for none of them.
    for (int round = 0; round < MAX_ROUNDS; round++) {
        // A step over the border, wide enough for float32, lest the brick just left is found again.
        float nudge = max(1e-4, abs(t) * 4e-6);
        vec3 here = clamp(march_origin + march_direction * (t + nudge), octree_box_low, octree_box_high);
        if (t >= brick_exit) {
            loaded = enter_brick(here);
            visit += 1.0;
            failed = failed || brick_failed;
            vec3 exits = (choose(brick_low, brick_high, forward) - march_origin) * inverse;
            brick_exit = min(min(exits.x, min(exits.y, exits.z)), t_end);
            weight = 1.0 / length(march_direction * brick_inverse_factor);
            if (abs(weight - 1.0) < 1e-5) weight = 1.0;
            brick_step = fine_step * weight;
            stride = march_direction * brick_step;
            weight *= octree_step_factor;
        }
        // A ray in the very face between bricks never leaves, by the one side's account: it goes on
        // in ever longer steps, and misses no sample on the way.
        float least = t + nudge * patience;
        float exit = min(max(brick_exit, least), t_end);
        float first = ceil((t - anchor) / brick_step - 1e-3);
        float count = 0.0;
        bool skip = !loaded;
        if (loaded) {
            vec2 range = brick_range;
            for (int part = 0; part < 2 && !skip; part++) {
                if (part == 1) {
                    if (!($cell_test)) break;
                    vec3 low;
                    vec3 high;
                    range = enter_cell(here, low, high);
                    vec3 exits = (choose(low, high, forward) - march_origin) * inverse;
                    float cell_exit = min(min(exits.x, min(exits.y, exits.z)), brick_exit);
                    exit = min(max(cell_exit, least), t_end);
                }
                count = max(ceil((exit - anchor) / brick_step - 1e-3) - first, 0.0);
                $skip_test
            }
            texture_sampled = texture_sampled || count > 0.0;
        }
        if (!skip && count > 0.0) {
            vec3 from = march_origin + march_direction * (anchor + first * brick_step);
            vec3 texel = from * brick_scale + brick_offset;
            vec3 texel_stride = stride * brick_scale;
            float n = 0.0;
            do {
                loc = from + stride * n;
                vec3 place = clamp(texel + texel_stride * n, brick_first, brick_last);
                vec4 color = texture3D(u_volumetex, place);
                float val = colorToVal(color);
                $in_loop
                n += 1.0;
            } while (n < count && !done);
        }
        patience = exit > least ? 1.0 : patience * 2.0;
        t = exit;
        if (done || t >= t_end) break;
    }

    if (texture_sampled) {
        $after_loop
    } else if ($overlaid && failed) {
        gl_FragColor = vec4(0.0);
    } else {
        discard;
    }

    vec4 depth_point = vec4(frag_depth_point, 1.0);
    float depth_w = dot(depth_point, octree_depth_w);
    if ($overlaid) gl_FragColor = overlay(gl_FragColor, frag_depth_point, depth_w, failed);
    gl_FragColor.rgb *= octree_fade;
    float depth = dot(depth_point, octree_depth_z) / depth_w;
    // What lies near or beyond the far plane is still in front of nothing, also with 16 bits.
    gl_FragDepth = clamp((depth + 1.0) / 2.0, 0.0, 0.99998);
}
