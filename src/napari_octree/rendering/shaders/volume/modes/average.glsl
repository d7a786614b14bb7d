// The mean of all values along the ray.
//: before_loop
    float total = 0.0;
    vec4 meancolor = vec4(0.0);
//: skip_test
    if (range.x == range.y) {
        if (count > 0.0) {
            total += count * weight;
            meancolor += (vec4(range.x, 0.0, 0.0, 1.0) - meancolor) * (count * weight / total);
        }
        skip = true;
    }
//: cell_test
    false
//: in_loop
    total += weight;
    meancolor += (color - meancolor) * (weight / total);
//: after_loop
    gl_FragColor = applyColormap(meancolor);
