// Maximum intensity projection, dimmed by what lies in front.
//: before_loop
    float maxval = u_mip_cutoff;
    float sumval = 0.0;
    float scale = exp(u_attenuation);  // of sumval = 0, as below
    bool hit = false;
    vec3 max_loc = vec3(0.0);
    vec4 maxcolor = vec4(0.0);
//: skip_test
    // Below the limits nothing is added to sumval.
    skip = range.y <= clim.x && range.y * scale <= maxval;
//: cell_test
    brick_range.x <= clim.x
//: in_loop
    sumval += u_relative_step_size / octree_step_factor * weight
        * clamp((val - clim.x) / (clim.y - clim.x), 0.0, 1.0);
    scale = exp(-u_attenuation * (sumval - 1.0));
    if (maxval > scale * clim.y) {
        done = true;  // nothing brighter can come
    } else if (val * scale > maxval) {
        maxval = val * scale;
        maxcolor = color * scale;
        hit = true;
        max_loc = loc;
    }
//: after_loop
    if (!hit) discard;
    frag_depth_point = max_loc;
    gl_FragColor = applyColormap(maxcolor);
