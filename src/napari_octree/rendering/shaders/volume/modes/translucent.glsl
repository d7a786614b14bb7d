// Colours blended front to back until the ray is opaque.
//: before_loop
    vec4 integrated_color = vec4(0.0);
//: skip_test
    skip = range.y <= octree_clear;
//: cell_test
    false
//: in_loop
    color = applyColormap(color);
    if (weight != 1.0) color.a = gathered(color, weight).a;
    float a1 = integrated_color.a;
    float a2 = color.a * (1.0 - a1);
    float alpha = max(a1 + a2, 0.001);
    integrated_color = integrated_color * (a1 / alpha) + color * (a2 / alpha);
    integrated_color.a = alpha;
    if (alpha > 0.99) done = true;
//: after_loop
    gl_FragColor = integrated_color;
