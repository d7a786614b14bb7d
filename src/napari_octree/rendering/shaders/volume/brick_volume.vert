// Two triangles over the whole view box: the rays come from uniforms in full precision.
attribute vec3 a_position;
varying vec2 v_clip;
void main() {
    v_clip = a_position.xy;
    gl_Position = vec4(a_position.xy, 0.0, 1.0);
}
