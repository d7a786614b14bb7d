// The colours, row by row in a texture.
uniform sampler2D u_colours;
uniform vec2 u_colours_shape;   // columns, rows

vec2 cell_centre(float index) {
    float row = floor((index + 0.5) / u_colours_shape.x);
    return vec2(index - row * u_colours_shape.x + 0.5, row + 0.5) / u_colours_shape;
}

vec4 colour_at(float index) {
    return texture2D(u_colours, cell_centre(index));
}

// Exact for integers below 2^24, and a division that is off by one unit does no harm.
float modulo(float a, float n) {
    float rest = a - n * floor(a / n);
    rest = rest < 0.0 ? rest + n : rest;
    return rest >= n ? rest - n : rest;
}
