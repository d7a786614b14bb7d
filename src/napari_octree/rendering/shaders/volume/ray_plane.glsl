    // Through the plane where the line of sight meets it, along its normal.
    float facing = dot(view_ray, octree_plane_normal);
    float t_plane = (octree_plane_distance - dot(ray_origin, octree_plane_normal)) / facing;
    vec3 march_origin = ray_origin + view_ray * t_plane;
    if (facing == 0.0
        || any(lessThan(march_origin, octree_box_low))
        || any(greaterThan(march_origin, octree_box_high)))
        discard;
    vec3 march_direction = octree_plane_normal;
    vec3 inverse = 1.0 / nonzero(march_direction);
    // As vispy's: the step size decides on the number of steps, each is one voxel long.
    float steps = floor(u_plane_thickness / u_relative_step_size + 0.5);
    if (!(steps >= 1.0)) discard;
    float fine_step = 1.0;
    float t_first = -0.5 * steps;
    float t_last = t_first + steps;
    frag_depth_point = march_origin;
