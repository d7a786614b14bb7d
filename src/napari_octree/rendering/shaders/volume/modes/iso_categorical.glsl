// The first label that is shown, lit.
//: include first_label
//: after_loop
    if (!hit) discard;
    // The gradient reaches further than the apron: from the brick that holds the surface.
    enter_brick(loc);
    gl_FragColor = lit_label(label_colour, label, loc, 1.5 / brick_inverse_factor);
    frag_depth_point = loc;
