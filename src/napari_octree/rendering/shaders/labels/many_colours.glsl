// A label modulo n for any n up to 2^16, byte by byte from the highest: each step stays below 2^24.
uniform float u_sign;           // what makes a negative label of its bits, modulo n

float append(float rest, float word) {
#ifdef WIDE_WORDS
    float high = floor(word / 256.0);
    rest = modulo(rest * 256.0 + high, u_count);
    word -= high * 256.0;
#endif
    return modulo(rest * 256.0 + word, u_count);
}

float label_modulo(vec4 label) {
    float rest = append(append(append(append(0.0, label.a), label.b), label.g), label.r);
    return label.a >= u_negative_from ? modulo(rest + u_sign, u_count) : rest;
}
