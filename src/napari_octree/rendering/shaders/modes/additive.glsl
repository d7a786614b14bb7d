// Colours added until the result is saturated.
//: before_loop
    vec4 integrated_color = vec4(0.0);
//: skip_test
    if (range.y <= clim.x) {
        // Every sample has the lowest colour.
        vec4 lowest = applyColormap(vec4(clim.x, 0.0, 0.0, 1.0));
        integrated_color =
            1.0 - (1.0 - integrated_color) * pow(max(1.0 - lowest, 0.0), vec4(max(count * weight, 1e-9)));
        skip = true;
    }
//: in_loop
    color = applyColormap(color);
    if (weight != 1.0) color = 1.0 - pow(max(1.0 - color, 0.0), vec4(weight));
    integrated_color = 1.0 - (1.0 - integrated_color) * (1.0 - color);
//: after_loop
    gl_FragColor = integrated_color;
