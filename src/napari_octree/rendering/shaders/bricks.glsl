// From a place to the brick that shows it: down the octree until a child is absent.
//
// Places are in level-0 voxels (x, y, z) relative to an integer origin near the focus, so that
// float32 is exact where detail is. Per level the origin's own place in the grid of bricks is
// given by a whole part (octree_base) and a fraction.

#define FAR 1e30
#define CHILD_SLACK 0.00390625  // as in node_texture.py

uniform sampler3D octree_nodes;       // (slot number, flag, lowest, highest value) of children
uniform vec3 octree_box_low;          // of the whole
uniform vec3 octree_box_high;
uniform sampler3D octree_ranges;      // (lowest, highest value) of the cells of each slot
uniform int octree_levels;                 // at most 24: vispy knows arrays of literal size only
uniform vec3 octree_pitch[24];     // size of a brick
uniform vec3 octree_fraction[24];  // of the origin in its brick
uniform vec3 octree_base[24];      // index of the origin's brick
uniform vec3 octree_last[24];      // index of the last brick
uniform vec3 octree_ratio[24];     // bricks of this level per brick of the next coarser
uniform vec3 octree_shift[24];     // and where the coarser level begins, in bricks
uniform vec3 octree_grid;             // slots of the atlas per axis
uniform vec3 octree_block;            // children of a node per axis, at most
uniform vec3 octree_brick;            // voxels of a brick
uniform vec3 octree_slot;             // texels of a slot: brick and apron
uniform vec3 octree_apron;
uniform vec3 octree_cells;            // cells of a brick that have their own range

vec3 brick_low;          // the part of the brick that shows here: a brick or one octant of it
vec3 brick_high;
vec2 brick_range;
int brick_level;
bool brick_failed;       // finer ones are wanted here, and could not be loaded
vec3 brick_inverse_factor;
vec3 cell_scale;
vec3 cell_offset;
vec3 cell_origin;

// Not mix(), which may compute a + (b - a) * t: next to FAR nothing would be left of b.
vec3 choose(vec3 no, vec3 yes, bvec3 which) {
    return vec3(which.x ? yes.x : no.x, which.y ? yes.y : no.y, which.z ? yes.z : no.z);
}

vec3 slot_place(float number) {
    float row = floor((number + 0.5) / octree_grid.x);
    float plane = floor((row + 0.5) / octree_grid.y);
    return vec3(number - row * octree_grid.x, row - plane * octree_grid.y, plane);
}

// False where nothing has been loaded; brick_low and brick_high are set all the same.
bool enter_brick(vec3 place) {
    vec3 entries = vec3(0.0);  // the slot with the children's entries
    vec3 node = vec3(0.0);     // the slot with the voxels
    vec3 parent = vec3(0.0);
    vec3 offset = vec3(0.0);
    vec3 pitch = vec3(1.0);
    bool found = false;
    brick_failed = false;
    brick_level = 0;
    brick_low = vec3(-FAR);
    brick_high = vec3(FAR);
    for (int level = octree_levels - 1; level >= 0; level--) {
        vec3 level_pitch = octree_pitch[level];
        vec3 fraction = octree_fraction[level];
        vec3 last = octree_last[level];
        vec3 base = octree_base[level];
        vec3 index = clamp(floor(place / level_pitch + fraction) + base, vec3(0.0), last);
        vec3 first = vec3(0.0);
        if (level < octree_levels - 1) {
            first = floor(parent * octree_ratio[level] + octree_shift[level] + CHILD_SLACK);
            first = max(first, 0.0) * vec3(greaterThan(parent, vec3(0.5)));
        }
        // In a face between bricks rounding may put the child on another side than the parent.
        vec3 child = clamp(index - first, vec3(0.0), octree_block - 1.0);
        index = first + child;
        vec3 relative = index - base - fraction;
        // The first and last brick stand for all that lies outside.
        vec3 low = relative * level_pitch;
        vec3 high = low + level_pitch;
        brick_low = max(brick_low, choose(low, vec3(-FAR), lessThan(index, vec3(0.5))));
        brick_high = min(brick_high, choose(high, vec3(FAR), greaterThan(index, last - 0.5)));

        vec4 entry = texture3D(
            octree_nodes, (entries * octree_block + child + 0.5) / (octree_block * octree_grid)
        );
        brick_failed = entry.g < -0.5 || (brick_failed && entry.g < 0.5);
        if (entry.g < 0.5 && entry.g > -1.5) break;  // absent: what was found so far stands in
        entries = slot_place(entry.r);
        parent = index;
        if (brick_failed) continue;  // through it to what is below
        node = entries;
        offset = relative;
        pitch = level_pitch;
        brick_range = entry.ba;
        brick_level = level;
        found = true;
        if (entry.g < 1.5) break;  // a leaf
    }
    vec3 texels = octree_slot * octree_grid;
    brick_inverse_factor = octree_brick / pitch;
    brick_scale = brick_inverse_factor / texels;
    brick_offset = (node * octree_slot + octree_apron - offset * octree_brick) / texels;
    brick_first = (node * octree_slot + 0.5) / texels;
    brick_last = (node * octree_slot + octree_slot - 0.5) / texels;
    cell_scale = octree_cells / pitch;
    cell_offset = offset * octree_cells;
    cell_origin = node * octree_cells;
    return found;
}

// Lowest and highest value in the cell of the current brick around a place, and its bounds.
vec2 enter_cell(vec3 place, out vec3 low, out vec3 high) {
    vec3 cell = clamp(floor(place * cell_scale - cell_offset), vec3(0.0), octree_cells - 1.0);
    low = (cell + cell_offset) / cell_scale;
    high = low + 1.0 / cell_scale;
    low = max(brick_low, choose(low, vec3(-FAR), lessThan(cell, vec3(0.5))));
    high = min(
        brick_high, choose(high, vec3(FAR), greaterThan(cell, octree_cells - 1.5))
    );
    return texture3D(octree_ranges, (cell_origin + cell + 0.5) / (octree_cells * octree_grid)).rg;
}
