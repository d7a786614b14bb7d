// Where a ray meets the first label that is shown: what both modes of labels have in common.
//: before_loop
    bool hit = false;
    vec4 label = vec4(0.0);
    vec4 label_colour = vec4(0.0);
//: skip_test
    skip = (range.x >= label_hollow.x && range.y <= label_hollow.y)
        || range.y < label_range.x || range.x > label_range.y;
//: cell_test
    true
//: in_loop
    if (may_be_shown(floor(color * label_words + 0.5))) {
        // Walk the last step again, in tenths.
        loc -= stride;
        for (int i = 0; i < 10; i++) {
            label = label_at(loc);
            label_colour = shown_label(label);
            if (label_colour.a != 0.0) {
                hit = true;
                done = true;
                break;
            }
            loc += stride * 0.1;
        }
    }
