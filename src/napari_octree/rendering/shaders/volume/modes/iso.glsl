// The first surface of a value, lit. Ranges include the apron, so that a surface in the step that
// leads into a cell counts as the cell's.
//: before_loop
    bool hit = false;
    gl_FragColor = vec4(0.0);
//: skip_test
    skip = range.y <= u_threshold;
//: cell_test
    brick_range.x <= u_threshold
//: in_loop
    if (val > u_threshold - 0.2) {
        // Walk the last step again, in tenths.
        loc -= stride;
        for (int i = 0; i < 10; i++) {
            color = $get_data(loc);
            if (colorToVal(color) > u_threshold) {
                hit = true;
                done = true;
                break;
            }
            loc += stride * 0.1;
        }
    }
    if (done) {
        // The gradient reaches further than the apron: from the brick that holds the surface.
        enter_brick(loc);
        color = calculateColor($get_data(loc), loc, 1.5 / brick_inverse_factor);
        gl_FragColor = applyColormap(color);
        frag_depth_point = loc;
    }
//: after_loop
    if (!hit) discard;
