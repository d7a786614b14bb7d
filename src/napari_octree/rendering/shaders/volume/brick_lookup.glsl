// The atlas as seen from the current brick. Declared here, since this comes first in the program.
vec3 brick_scale;
vec3 brick_offset;
vec3 brick_first;
vec3 brick_last;
vec4 texture_lookup(vec3 place) {
    return texture3D($texture, clamp(place * brick_scale + brick_offset, brick_first, brick_last));
}
