void place_point(vec4 place, float size, vec2 pixel) {
    gl_Position = place;
}
