// Colours added until the result is saturated.
//: before_loop
    vec4 integrated_color = vec4(0.0);
//: skip_test
    if (range.y <= clim.x) {
        // Every sample has the lowest colour.
        vec4 lowest = applyColormap(vec4(clim.x, 0.0, 0.0, 1.0));
        integrated_color += gathered(lowest, count * weight) * (1.0 - integrated_color);
        skip = true;
    }
//: cell_test
    brick_range.x <= clim.x
//: in_loop
    color = applyColormap(color);
    if (weight != 1.0) color = gathered(color, weight);
    integrated_color += color * (1.0 - integrated_color);
//: after_loop
    gl_FragColor = integrated_color;
