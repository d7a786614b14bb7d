// Maximum intensity projection, refined to a tenth of a step around the maximum.
//: before_loop
    float maxval = u_mip_cutoff;
    bool hit = false;
    vec3 max_loc = vec3(0.0);
    vec3 max_stride = vec3(0.0);
    float max_visit = 0.0;
//: skip_test
    skip = range.y <= maxval;
//: cell_test
    true
//: in_loop
    if (val > maxval) {
        maxval = val;
        hit = true;
        max_loc = loc;
        max_stride = stride;
        max_visit = visit;
        if (maxval >= clim.y) done = true;  // nothing brighter can be shown
    }
//: after_loop
    if (!hit) discard;
    if (max_visit != visit) enter_brick(max_loc);
    vec4 maxcolor = $get_data(max_loc);
    vec3 start = max_loc - 0.5 * max_stride;
    frag_depth_point = start;
    // What is beyond the limits looks like them, however far beyond.
    int refinements = u_rgb_mode == 1 || maxval < clim.y ? 10 : 0;
    for (int i = 0; i < refinements; i++) {
        loc = start + max_stride * (0.1 * float(i));
        vec4 color = $get_data(loc);
        float val = colorToVal(color);
        if (val > maxval) {
            maxval = val;
            maxcolor = color;
            frag_depth_point = loc;
        }
    }
    gl_FragColor = applyColormap(maxcolor);
