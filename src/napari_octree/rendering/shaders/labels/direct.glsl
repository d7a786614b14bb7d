// Colours by label: a hash table in two textures, the labels and their colours. A label is looked for
// from its home cell on, until a cell is empty.
uniform sampler2D u_keys;
uniform vec4 u_hash;            // factors of the words
uniform float u_homes;          // cells that may be a home
uniform float u_probes;         // cells to look at, at most
uniform vec4 u_other;           // the colour of labels that are not in the table

vec4 label_colour(vec4 label) {
    vec4 parts = label * u_hash;
    float home = modulo(
        modulo(parts.r, u_homes) + modulo(parts.g, u_homes)
            + modulo(parts.b, u_homes) + modulo(parts.a, u_homes),
        u_homes);
    for (float i = 0.0; i < u_probes; i++) {
        vec2 cell = cell_centre(home + i);
        vec4 colour = texture2D(u_colours, cell);
        if (colour.a < 0.0) {
            break;
        }
        if (floor(texture2D(u_keys, cell) * LARGEST_WORD + 0.5) == label) {
            return colour;
        }
    }
    return u_other;
}
