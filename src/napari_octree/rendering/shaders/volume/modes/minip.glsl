// Minimum intensity projection, refined to a tenth of a step around the minimum.
//: before_loop
    float minval = u_minip_cutoff;
    bool hit = false;
    vec3 min_loc = vec3(0.0);
    vec3 min_stride = vec3(0.0);
    float min_visit = 0.0;
//: skip_test
    skip = range.x >= minval;
//: cell_test
    true
//: in_loop
    if (val < minval) {
        minval = val;
        hit = true;
        min_loc = loc;
        min_stride = stride;
        min_visit = visit;
        if (minval <= clim.x) done = true;  // nothing darker can be shown
    }
//: after_loop
    if (!hit) discard;
    if (min_visit != visit) enter_brick(min_loc);
    vec4 mincolor = $get_data(min_loc);
    vec3 start = min_loc - 0.5 * min_stride;
    frag_depth_point = start;
    // What is beyond the limits looks like them, however far beyond.
    int refinements = u_rgb_mode == 1 || minval > clim.x ? 10 : 0;
    for (int i = 0; i < refinements; i++) {
        loc = start + min_stride * (0.1 * float(i));
        vec4 color = $get_data(loc);
        float val = colorToVal(color);
        if (val < minval) {
            minval = val;
            mincolor = color;
            frag_depth_point = loc;
        }
    }
    gl_FragColor = applyColormap(mincolor);
