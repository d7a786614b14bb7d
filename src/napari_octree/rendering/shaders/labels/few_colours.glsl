// A label modulo n where n is so small that the sum stays below 2^24.
uniform vec4 u_powers;          // of the words' base, modulo n
uniform float u_sign;           // what makes a negative label of its bits, modulo n

float label_modulo(vec4 label) {
    float sum = dot(label, u_powers) + (label.a >= u_negative_from ? u_sign : 0.0);
    return modulo(sum, u_count);
}
