// A point of a node: its place is relative to the node, all matrices are composed in float64.
uniform mat4 u_node;
uniform vec2 u_pixel;          // of the framebuffer, in clip coordinates
uniform vec2 u_per_unit;       // pixels, and depth, of a data unit where w = 1
uniform vec2 u_canvas_sizes;
uniform vec2 u_border_width;   // in sizes, in data units
uniform float u_point_size;
uniform float u_antialias;
uniform vec4 u_face_range;     // low, 1 / (high - low), table: columns, rows
uniform vec4 u_border_range;
uniform vec4 u_face_unknown;
uniform vec4 u_border_unknown;
uniform sampler2D u_face_table;
uniform sampler2D u_border_table;
uniform vec2 u_shown;

attribute vec3 a_place;

varying vec4 v_fg_color;
varying vec4 v_bg_color;
varying float v_edgewidth;
varying float v_total_size;
varying float v_depth_middle;
varying float v_alias_ratio;
varying float v_symbol;

vec4 colour_between(float value, vec4 range, vec4 unknown, sampler2D table) {
    if (value != value) { return unknown; }
    float t = clamp((value - range.x) * range.y, 0.0, 1.0);
    return texture2D(table, vec2((t * (range.z - 1.0) + 0.5) / range.z, 0.5));
}

vec4 colour_number(float value, vec4 range, vec4 unknown, sampler2D table) {
    float number = floor(value - range.x + 0.5);
    if (!(number >= 0.0 && number < range.z * range.w)) { return unknown; }
    float row = floor((number + 0.5) / range.z);
    return texture2D(table, vec2((number - row * range.z + 0.5) / range.z, (row + 0.5) / range.w));
}

void main() {
    v_symbol = 0.0;
    v_bg_color = $face;
    v_fg_color = $border;
    float own_size = u_point_size * ($size);
    vec4 place = u_node * vec4(a_place, 1.0);

    $v_size = own_size * u_per_unit.x / place.w;
    v_edgewidth = (u_border_width.x * own_size + min(u_border_width.y, own_size))
        * u_per_unit.x / place.w;
    float original_size = $v_size;
    $v_size = min(max($v_size, u_canvas_sizes.x), u_canvas_sizes.y);
    if ($v_size != original_size) {
        v_edgewidth *= $v_size / original_size;
        v_edgewidth = max(v_edgewidth, u_canvas_sizes.x * 0.5);
        v_edgewidth = min(v_edgewidth, $v_size * 0.5);
    }
    // No larger than what the symbol covers: transparent fragments cost as much as others.
    v_total_size = $v_size + $margin * (v_edgewidth + 2.0 * u_antialias) + 1.0;
    v_depth_middle = own_size / 2.0 * u_per_unit.y / place.w;
    v_alias_ratio = v_total_size / $v_size;

    $set_place(place, v_total_size, u_pixel);
    gl_PointSize = v_total_size;
    if (!($shown) || !(own_size > 0.0)) {
        gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
        gl_PointSize = 1.0;
    }
}
