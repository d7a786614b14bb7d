// The first label that is shown, in its flat colour.
//: before_loop
    bool hit = false;
    gl_FragColor = vec4(0.0);
//: skip_test
    skip = (range.x >= label_hollow.x && range.y <= label_hollow.y)
        || range.y < label_range.x || range.x > label_range.y;
//: cell_test
    true
//: in_loop
    if (may_be_shown(floor(color * label_words + 0.5))) {
        // Walk the last step again, in tenths.
        vec4 label;
        loc -= stride;
        for (int i = 0; i < 10; i++) {
            label = label_at(loc);
            color = shown_label(label);
            if (color.a != 0.0) {
                hit = true;
                done = true;
                break;
            }
            loc += stride * 0.1;
        }
        if (done) {
            gl_FragColor = color;
            frag_depth_point = loc;
        }
    }
//: after_loop
    if (!hit) discard;
