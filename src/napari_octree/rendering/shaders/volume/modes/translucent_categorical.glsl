// The first label that is shown, in its flat colour.
//: include first_label
//: after_loop
    if (!hit) discard;
    gl_FragColor = label_colour;
    frag_depth_point = loc;
