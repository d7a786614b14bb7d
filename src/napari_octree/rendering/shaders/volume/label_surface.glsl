// Light on the surface of a label, as napari lights it: by a gradient whose values are 1 inside of
// the label that was hit and 0 elsewhere. What touches it does not change its light.
uniform vec4 label_words;       // from a texel to the label's words; 0 for words that there are not
uniform vec4 label_key;         // the label that is looked for, or the one that is passed by
uniform float label_is_wanted;  // 1: looked for; 0: passed by
uniform vec2 label_range;       // lowest and highest of those looked for
uniform vec2 label_hollow;      // lowest and highest of those passed by
uniform float label_smooth;     // 1: the gradient of 26 neighbours, 0: of 6

vec4 label_at(vec3 place) {
    return floor($get_data(place) * label_words + 0.5);
}

vec4 shown_label(vec4 label) {
    return $shown_colour(label);
}

bool may_be_shown(vec4 label) {
    return (label == label_key) == (label_is_wanted > 0.5);
}

// On the axes that count. A surface in the face of the volume is found a little before it.
bool is_outside(vec3 place, vec3 axes) {
    vec3 beyond = max(octree_box_low - place, place - octree_box_high);
    return any(greaterThan(beyond * axes, vec3(0.0)));
}

// Where both neighbours on an axis are outside of the label, a difference across it says nothing.
vec3 thin_axes(vec3 before, vec3 after) {
    return vec3(lessThan(before + after, vec3(0.5))) * -2.0;
}

vec3 label_gradient(vec4 label, vec3 place, vec3 reach) {
    vec3 sum = vec3(0.0);
    vec3 before = vec3(0.0);
    vec3 after = vec3(0.0);
    bool at_border = false;
    for (int n = 0; n < 27; n++) {
        // x is the slowest: napari's order decides which corners it leaves out at a border.
        vec3 offset = vec3(float(n / 9 - 1), float(n / 3 - n / 9 * 3 - 1), float(n - n / 3 * 3 - 1));
        vec3 away = abs(offset);
        float axes = away.x + away.y + away.z;
        if (axes < 0.5 || (label_smooth < 0.5 && axes > 1.5) || (at_border && axes > 2.5)) continue;
        vec3 there = place + offset * reach;
        bool outside = is_outside(there, label_smooth < 0.5 ? away : vec3(1.0));
        float value = !outside && label_at(there) == label ? 1.0 : 0.0;
        if (axes < 1.5) {
            before += max(-offset, 0.0) * value;
            after += max(offset, 0.0) * value;
        }
        sum -= offset * value * exp2(3.0 - axes);
        at_border = at_border || (axes < 2.5 && outside);
    }
    vec3 gradient = label_smooth < 0.5 ? after - before : sum;
    return gradient + thin_axes(before, after);
}

vec4 lit_label(vec4 colour, vec4 label, vec3 place, vec3 reach) {
    vec3 sight = normalize(view_ray);
    vec3 normal = normalize(label_gradient(label, place, reach));
    float facing = clamp(abs(dot(normal, sight)), 0.0, 1.0);
    return vec4(colour.rgb * (u_ambient.rgb + facing), colour.a);
}
