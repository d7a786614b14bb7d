void place_quad(vec4 place, float size, vec2 pixel) {
    vec2 corner = $corner + 0.5;
    $texcoord = vec2(corner.x, 1.0 - corner.y);
    gl_Position = place + vec4($corner * size * pixel * place.w, 0.0, 0.0);
}
