// Maximum intensity projection, refined to a tenth of a step around the maximum.
//: before_loop
    float maxval = u_mip_cutoff;
    bool hit = false;
    vec3 max_loc = vec3(0.0);
    vec3 max_stride = vec3(0.0);
//: skip_test
    skip = range.y <= maxval;
//: in_loop
    if (val > maxval) {
        maxval = val;
        hit = true;
        max_loc = loc;
        max_stride = stride;
        if (maxval >= clim.y) done = true;  // nothing brighter can be shown
    }
//: after_loop
    if (!hit) discard;
    enter_brick(max_loc);
    vec4 maxcolor = $get_data(max_loc);
    vec3 start = max_loc - 0.5 * max_stride;
    frag_depth_point = start;
    for (int i = 0; i < 10; i++) {
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
