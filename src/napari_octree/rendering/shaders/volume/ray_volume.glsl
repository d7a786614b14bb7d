    // From the front of the box, or the near plane, to its back.
    vec3 march_origin = ray_origin;
    vec3 march_direction = view_ray;
    vec3 inverse = 1.0 / nonzero(view_ray);
    vec3 at_low = (octree_box_low - ray_origin) * inverse;
    vec3 at_high = (octree_box_high - ray_origin) * inverse;
    vec3 enter = min(at_low, at_high);
    vec3 leave = max(at_low, at_high);
    float t_first = max(max(enter.x, enter.y), enter.z);
    float t_last = min(min(leave.x, leave.y), leave.z);
    float approach = dot(octree_near.xyz, view_ray);
    if (approach != 0.0) {
        float t_near = -(dot(octree_near.xyz, ray_origin) + octree_near.w) / approach;
        if (approach > 0.0) t_first = max(t_first, t_near);
    }
    // As many equal steps as vispy's volume makes.
    float steps = floor((t_last - t_first) / u_relative_step_size + 0.5);
    if (!(steps >= 1.0)) discard;
    float fine_step = (t_last - t_first) / steps;
    frag_depth_point = ray_origin + view_ray * t_first;
