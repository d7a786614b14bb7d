// From a place to the brick that shows it: one look at a table of the upper levels, then down the
// octree until a child is absent.
//
// Places are in level-0 voxels (x, y, z) relative to an integer origin near the focus, so that
// float32 is exact where detail is. Per level the origin's own place in the grid of bricks is
// given by a whole part (octree_base) and a fraction.

#define FAR 1e30
#define CHILD_SLACK 0.00390625  // as in node_geometry.py
// Texels: rounding of float32 must not mix in a hair of the next slot. Where all voxels are the same
// that hair would be the gradient.
#define INSET 0.001953125
#define BRANCH 2.0              // flags: as in node_entries.py, node_table.py
#define OCTANT 3.0
#define WALK 4.0
#define FLAGS 8.0

uniform sampler3D octree_nodes;       // (slot number, flag, lowest, highest value) of children
uniform sampler3D octree_table;       // where a walk to each brick of one level stands
uniform int octree_table_level;
uniform vec3 octree_table_pitch;      // of that level, as below
uniform vec3 octree_table_fraction;
uniform vec3 octree_table_base;
uniform vec3 octree_table_last;
uniform vec3 octree_box_low;          // of the whole
uniform vec3 octree_box_high;
uniform sampler3D octree_ranges;      // (lowest, highest value) of the cells of each slot
uniform int octree_levels;            // at most 24: vispy knows arrays of literal size only
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

// The brick that has been entered.
bool brick_found;
bool brick_failed;       // finer ones are wanted here, and could not be loaded
vec3 brick_low;          // the part of the brick that shows here: a brick or one octant of it
vec3 brick_high;
vec2 brick_range;
int brick_level;
vec3 brick_slot;         // of the atlas, which holds the voxels
vec3 brick_place;        // where it begins, in bricks of its level from the origin on
vec3 brick_pitch;
vec3 brick_inverse_factor;
vec3 cell_scale;
vec3 cell_offset;
vec3 cell_origin;

// What a walk has come to.
vec3 walk_slot;          // whose block of entries has the children
vec3 walk_index;         // of the brick

// Not mix(), which may compute a + (b - a) * t: next to FAR nothing would be left of b.
vec3 choose(vec3 no, vec3 yes, bvec3 which) {
    return vec3(which.x ? yes.x : no.x, which.y ? yes.y : no.y, which.z ? yes.z : no.z);
}

vec3 slot_place(float number) {
    float row = floor((number + 0.5) / octree_grid.x);
    float plane = floor((row + 0.5) / octree_grid.y);
    return vec3(number - row * octree_grid.x, row - plane * octree_grid.y, plane);
}

// Leave of the part that shows here what lies in `count` bricks of a level from `first` on. The first
// and the last brick of all stand for what lies outside.
void narrow(vec3 first, vec3 count, vec3 last, vec3 low, vec3 pitch) {
    vec3 high = low + count * pitch;
    brick_low = max(brick_low, choose(low, vec3(-FAR), lessThan(first, vec3(0.5))));
    brick_high = min(brick_high, choose(high, vec3(FAR), greaterThan(first + count, last + 0.5)));
}

// Where a walk from the coarsest level down stands that has come to the level of the table, or has
// ended before (node_table.py). Returns the level to go on with, -1 for none. Of coarser levels only
// the size is read: to read arrays is what takes the time of a walk.
int look_up(vec3 place) {
    vec3 index = floor(place / octree_table_pitch + octree_table_fraction) + octree_table_base;
    index = clamp(index, vec3(0.0), octree_table_last);
    vec4 entry = texture3D(octree_table, (index + 0.5) / (octree_table_last + 1.0));
    brick_level = int(floor(entry.g / FLAGS));
    float flag = entry.g - float(brick_level) * FLAGS;
    if (flag > WALK - 0.5) return octree_levels - 1;

    brick_found = flag > 0.5;
    brick_range = entry.ba;
    brick_slot = walk_slot = slot_place(entry.r);
    walk_index = index;
    // In bricks of the table: the brick that was found.
    brick_pitch = octree_pitch[brick_level];
    vec3 count = floor(brick_pitch / octree_table_pitch + 0.5);
    vec3 first = floor((index + 0.5) / count) * count;
    brick_place = (first - octree_table_base - octree_table_fraction) / count;
    if (flag > OCTANT - 0.5) {
        // It stands in for one of the next finer level.
        count = floor(octree_pitch[brick_level - 1] / octree_table_pitch + 0.5);
        first = floor((index + 0.5) / count) * count;
    }
    vec3 low = (first - octree_table_base - octree_table_fraction) * octree_table_pitch;
    narrow(first, count, octree_table_last, low, octree_table_pitch);
    return flag > BRANCH - 0.5 && flag < BRANCH + 0.5 ? octree_table_level - 1 : -1;
}

// Down the octree from a level on, until a child is absent.
void walk_down(vec3 place, int from) {
    for (int level = from; level >= 0; level--) {
        vec3 pitch = octree_pitch[level];
        vec3 fraction = octree_fraction[level];
        vec3 last = octree_last[level];
        vec3 base = octree_base[level];
        vec3 index = clamp(floor(place / pitch + fraction) + base, vec3(0.0), last);
        vec3 first = vec3(0.0);
        if (level < octree_levels - 1) {
            first = floor(walk_index * octree_ratio[level] + octree_shift[level] + CHILD_SLACK);
            first = max(first, 0.0) * vec3(greaterThan(walk_index, vec3(0.5)));
        }
        // In a face between bricks rounding may put the child on another side than the parent.
        vec3 child = clamp(index - first, vec3(0.0), octree_block - 1.0);
        index = first + child;
        vec3 relative = index - base - fraction;
        narrow(index, vec3(1.0), last, relative * pitch, pitch);

        vec4 entry = texture3D(
            octree_nodes, (walk_slot * octree_block + child + 0.5) / (octree_block * octree_grid)
        );
        brick_failed = entry.g < -0.5 || (brick_failed && entry.g < 0.5);
        if (entry.g < 0.5 && entry.g > -1.5) break;  // absent: what was found so far stands in
        walk_slot = slot_place(entry.r);
        walk_index = index;
        if (brick_failed) continue;  // through it to what is below
        brick_found = true;
        brick_slot = walk_slot;
        brick_place = relative;
        brick_pitch = pitch;
        brick_range = entry.ba;
        brick_level = level;
        if (entry.g < 1.5) break;  // a leaf
    }
}

// False where nothing has been loaded; brick_low and brick_high are set all the same.
bool enter_brick(vec3 place) {
    brick_found = false;
    brick_failed = false;
    brick_low = vec3(-FAR);
    brick_high = vec3(FAR);
    brick_slot = walk_slot = walk_index = brick_place = vec3(0.0);
    brick_pitch = vec3(1.0);
    walk_down(place, look_up(place));

    vec3 texels = octree_slot * octree_grid;
    brick_inverse_factor = octree_brick / brick_pitch;
    brick_scale = brick_inverse_factor / texels;
    brick_offset = (brick_slot * octree_slot + octree_apron - brick_place * octree_brick) / texels;
    brick_first = (brick_slot * octree_slot + 0.5 + INSET) / texels;
    brick_last = (brick_slot * octree_slot + octree_slot - 0.5 - INSET) / texels;
    cell_scale = octree_cells / brick_pitch;
    cell_offset = brick_place * octree_cells;
    cell_origin = brick_slot * octree_cells;
    return brick_found;
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
