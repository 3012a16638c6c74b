/* Areas by address: red-black trees whose nodes are also on a sorted list, and the search
 * in the tree of free space (vm.h).
 *
 * The search goes to the lowest address that fits, led by the size of the largest free
 * area in each subtree. Where an alignment above a page is asked for, it looks for size +
 * align - 1 bytes, which fit wherever they lie, but takes a smaller area that it happens
 * to pass and that fits: so the tree's shape can decide the answer, and the tree is
 * balanced as lib/rbtree.c does it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "vm.h"

enum { LEFT, RIGHT };

static uint32_t parent_of(const struct vmap_area *a) { return a->parent >> 1; }
static bool is_red(const struct machine *m, uint32_t id)
{
    return id && (area_r(m, id)->parent & 1);
}

static void set_parent(struct machine *m, uint32_t id, uint32_t parent)
{
    struct vmap_area *a = area_w(m, id);
    a->parent = parent << 1 | (a->parent & 1);
}
static void set_red(struct machine *m, uint32_t id, bool red)
{
    struct vmap_area *a = area_w(m, id);
    a->parent = (a->parent & ~1u) | red;
}

static bool augmented(const struct machine *m, const struct vmap_set *s)
{
    return s == &m->vm->free;
}

static struct vmap_set *set_w(struct machine *m, struct vmap_set *s)
{
    arena_mark(&m->arena, s);
    return s;
}

/* ---- the largest free area of a subtree ---- */

static uint64_t max_of(const struct machine *m, uint32_t id)
{
    return id ? area_r(m, id)->subtree_max : 0;
}

static uint64_t compute_max(const struct machine *m, uint32_t id)
{
    const struct vmap_area *a = area_r(m, id);
    uint64_t max = area_size(a), left = max_of(m, a->child[LEFT]),
             right = max_of(m, a->child[RIGHT]);
    max = max > left ? max : left;
    return max > right ? max : right;
}

/* Answers whether it changed. */
static bool update_max(struct machine *m, uint32_t id)
{
    uint64_t max = compute_max(m, id);
    if (area_r(m, id)->subtree_max == max) {
        return false;
    }
    area_w(m, id)->subtree_max = max;
    return true;
}

/* After id changed its size: upwards as long as something changes. */
static void propagate(struct machine *m, uint32_t id)
{
    while (id && update_max(m, id)) {
        id = parent_of(area_r(m, id));
    }
}

/* After the tree changed its shape at id. */
static void update_path(struct machine *m, const struct vmap_set *s, uint32_t id)
{
    for (; id && augmented(m, s); id = parent_of(area_r(m, id))) {
        update_max(m, id);
    }
}

/* ---- the tree ---- */

/* new takes old's place below old's parent. */
static void change_child(struct machine *m, struct vmap_set *s, uint32_t parent,
                         uint32_t old, uint32_t new)
{
    if (parent) {
        struct vmap_area *p = area_w(m, parent);
        p->child[p->child[RIGHT] == old] = new;
    } else {
        set_w(m, s)->root = new;
    }
}

/* id goes down to side, its child on the other side comes up. */
static void rotate(struct machine *m, struct vmap_set *s, uint32_t id, int side)
{
    uint32_t up = area_r(m, id)->child[!side], parent = parent_of(area_r(m, id));
    uint32_t inner = area_r(m, up)->child[side];
    change_child(m, s, parent, id, up);
    area_w(m, id)->child[!side] = inner;
    if (inner) {
        set_parent(m, inner, id);
    }
    area_w(m, up)->child[side] = id;
    set_parent(m, up, parent);
    set_parent(m, id, up);
    if (augmented(m, s)) {
        update_max(m, id);
        update_max(m, up);
    }
}

static void balance_insert(struct machine *m, struct vmap_set *s, uint32_t id)
{
    uint32_t parent;
    while ((parent = parent_of(area_r(m, id))) != 0 && is_red(m, parent)) {
        uint32_t grand = parent_of(area_r(m, parent));
        int side = area_r(m, grand)->child[RIGHT] == parent;
        uint32_t uncle = area_r(m, grand)->child[!side];
        if (is_red(m, uncle)) {
            set_red(m, uncle, false);
            set_red(m, parent, false);
            set_red(m, grand, true);
            id = grand;
            continue;
        }
        if (area_r(m, parent)->child[!side] == id) {
            rotate(m, s, parent, side);
            parent = id;
        }
        set_red(m, parent, false);
        set_red(m, grand, true);
        rotate(m, s, grand, !side);
        break;
    }
    if (is_red(m, s->root)) {
        set_red(m, s->root, false);
    }
}

/* A black node is missing below parent, on the side of id (which may be 0). */
static void balance_remove(struct machine *m, struct vmap_set *s, uint32_t parent,
                           uint32_t id)
{
    while (parent && !is_red(m, id)) {
        int side = area_r(m, parent)->child[LEFT] != id;
        uint32_t sibling = area_r(m, parent)->child[!side];
        if (is_red(m, sibling)) {
            set_red(m, sibling, false);
            set_red(m, parent, true);
            rotate(m, s, parent, side);
            sibling = area_r(m, parent)->child[!side];
        }
        uint32_t inner = area_r(m, sibling)->child[side],
                 outer = area_r(m, sibling)->child[!side];
        if (!is_red(m, inner) && !is_red(m, outer)) {
            set_red(m, sibling, true);
            id = parent;
            parent = parent_of(area_r(m, id));
            continue;
        }
        if (!is_red(m, outer)) {
            set_red(m, inner, false);
            set_red(m, sibling, true);
            rotate(m, s, sibling, !side);
            outer = sibling;
            sibling = inner;
        }
        set_red(m, sibling, is_red(m, parent));
        set_red(m, parent, false);
        set_red(m, outer, false);
        rotate(m, s, parent, side);
        return;
    }
    if (id) {
        set_red(m, id, false);
    }
}

/* Where an area belongs: below parent on side; 0 for the root. False: it overlaps one
 * that is there. */
static bool find_place(const struct machine *m, const struct vmap_set *s,
                       const struct vmap_area *a, uint32_t *parent, int *side)
{
    uint32_t id = s->root;
    *parent = 0;
    *side = LEFT;
    while (id) {
        const struct vmap_area *at = area_r(m, id);
        *parent = id;
        if (a->end <= at->start) {
            *side = LEFT;
        } else if (a->start >= at->end) {
            *side = RIGHT;
        } else {
            return false;
        }
        id = at->child[*side];
    }
    return true;
}

static void link_at(struct machine *m, struct vmap_set *s, uint32_t id, uint32_t parent,
                    int side)
{
    struct vmap_set *set = set_w(m, s);
    struct vmap_area *a = area_w(m, id);
    uint32_t prev = !parent ? 0 : side == RIGHT ? parent : area_r(m, parent)->prev;
    uint32_t next = !parent ? 0 : side == RIGHT ? area_r(m, parent)->next : parent;
    a->prev = prev;
    a->next = next;
    *(prev ? &area_w(m, prev)->next : &set->first) = id;
    *(next ? &area_w(m, next)->prev : &set->last) = id;
    set->nr++;
    a->child[LEFT] = a->child[RIGHT] = 0;
    a->parent = parent << 1 | 1;
    a->subtree_max = augmented(m, s) ? area_size(a) : 0;
    if (parent) {
        area_w(m, parent)->child[side] = id;
    } else {
        set->root = id;
    }
    update_path(m, s, parent);
    balance_insert(m, s, id);
}

void vmap_insert(struct machine *m, struct vmap_set *s, uint32_t id)
{
    uint32_t parent;
    int side;
    if (find_place(m, s, area_r(m, id), &parent, &side)) {
        link_at(m, s, id, parent, side);
    }
}

void vmap_remove(struct machine *m, struct vmap_set *s, uint32_t id)
{
    struct vmap_set *set = set_w(m, s);
    const struct vmap_area gone = *area_r(m, id);
    *(gone.prev ? &area_w(m, gone.prev)->next : &set->first) = gone.next;
    *(gone.next ? &area_w(m, gone.next)->prev : &set->last) = gone.prev;
    set->nr--;

    uint32_t parent = parent_of(&gone), child, lowest;
    bool black = !(gone.parent & 1);
    if (!gone.child[LEFT] || !gone.child[RIGHT]) {
        child = gone.child[LEFT] ? gone.child[LEFT] : gone.child[RIGHT];
        change_child(m, s, parent, id, child);
        if (child) {
            set_parent(m, child, parent);
        }
        lowest = parent;
    } else {
        /* the next by address takes its place and colour */
        uint32_t heir = gone.next;
        const struct vmap_area h = *area_r(m, heir);
        black = !(h.parent & 1);
        child = h.child[RIGHT];
        lowest = parent_of(&h) == id ? heir : parent_of(&h);
        if (lowest != heir) {
            area_w(m, lowest)->child[LEFT] = child;
            if (child) {
                set_parent(m, child, lowest);
            }
            area_w(m, heir)->child[RIGHT] = gone.child[RIGHT];
            set_parent(m, gone.child[RIGHT], heir);
        }
        area_w(m, heir)->child[LEFT] = gone.child[LEFT];
        set_parent(m, gone.child[LEFT], heir);
        change_child(m, s, parent, id, heir);
        area_w(m, heir)->parent = gone.parent;
    }
    update_path(m, s, lowest);
    if (black) {
        balance_remove(m, s, lowest, child);
    }
    struct vmap_area *a = area_w(m, id);
    a->parent = a->child[LEFT] = a->child[RIGHT] = a->prev = a->next = 0;
}

uint32_t vmap_merge_or_add(struct machine *m, struct vmap_set *s, uint32_t id)
{
    const struct vmap_area a = *area_r(m, id);
    uint32_t parent;
    int side;
    if (!find_place(m, s, &a, &parent, &side)) {
        return id;
    }
    uint32_t prev = !parent ? 0 : side == RIGHT ? parent : area_r(m, parent)->prev;
    uint32_t next = !parent ? 0 : side == RIGHT ? area_r(m, parent)->next : parent;
    uint32_t merged = 0;
    if (next && area_r(m, next)->start == a.end) {
        area_w(m, next)->start = a.start;
        vm_node_give(m, id);
        merged = next;
    }
    if (prev && area_r(m, prev)->end == a.start) {
        uint64_t end = a.end;
        if (merged) {
            end = area_r(m, next)->end;
            vmap_remove(m, s, next);
            vm_node_give(m, next);
        } else {
            vm_node_give(m, id);
        }
        area_w(m, prev)->end = end;
        merged = prev;
    }
    if (!merged) {
        link_at(m, s, id, parent, side);
        return id;
    }
    if (augmented(m, s)) {
        propagate(m, merged);
    }
    return merged;
}

uint32_t vmap_find(const struct machine *m, const struct vmap_set *s, uint64_t addr)
{
    uint32_t id = s->root;
    while (id) {
        const struct vmap_area *a = area_r(m, id);
        if (addr >= a->start && addr < a->end) {
            return id;
        }
        id = a->child[addr >= a->end];
    }
    return 0;
}

uint32_t vmap_find_exceed(const struct machine *m, const struct vmap_set *s,
                          uint64_t addr)
{
    uint32_t id = s->root, found = 0;
    while (id) {
        const struct vmap_area *a = area_r(m, id);
        if (a->end > addr) {
            found = id;
        }
        id = a->child[a->end <= addr];
    }
    return found;
}

/* ---- the search ---- */

/* Addresses are of the kernel's width: on 32 bits a sum beyond it wraps, and nothing
 * fits there. */
static uint64_t width_mask(const struct machine *m)
{
    return m->vm->kspace.bits == 32 ? UINT32_MAX : UINT64_MAX;
}

static uint64_t align_up(uint64_t v, uint64_t align, uint64_t mask)
{
    return (v + align - 1) & ~(align - 1) & mask;
}

/* What is asked for. */
struct want {
    uint64_t size, align, vstart, mask;
};

static bool fits(const struct vmap_area *a, const struct want *w, uint64_t vstart)
{
    uint64_t at = align_up(a->start > vstart ? a->start : vstart, w->align, w->mask);
    uint64_t end = (at + w->size) & w->mask;
    return end >= at && at >= vstart && end <= a->end;
}

static bool try_area(struct machine *m, uint32_t id, const struct want *w,
                     uint64_t vstart)
{
    const struct vmap_area *a = area_r(m, id);
    bool ok = fits(a, w, vstart);
    probe(&m->probe, EV_VMAP_LOOK, a->start, a->end, a->subtree_max, ok);
    return ok;
}

static uint32_t find_lowest_match(struct machine *m, const struct want *w,
                                  uint64_t length)
{
    uint64_t vstart = w->vstart;
    uint32_t id = m->vm->free.root;
    while (id) {
        const struct vmap_area *a = area_r(m, id);
        if (max_of(m, a->child[LEFT]) >= length && vstart < a->start) {
            id = a->child[LEFT];
            continue;
        }
        if (try_area(m, id, w, vstart)) {
            return id;
        }
        a = area_r(m, id);
        if (max_of(m, a->child[RIGHT]) >= length) {
            id = a->child[RIGHT];
            continue;
        }
        /* Nothing here: back up, to the first area that fits or whose right side may
         * have one that does. */
        while ((id = parent_of(area_r(m, id))) != 0) {
            if (try_area(m, id, w, vstart)) {
                return id;
            }
            a = area_r(m, id);
            if (max_of(m, a->child[RIGHT]) >= length && vstart <= a->start) {
                vstart = a->start + 1; /* not down the same side again */
                id = a->child[RIGHT];
                break;
            }
        }
    }
    return 0;
}

/* Take [at, at + size) out of a free area. False: no memory for the rest's node. */
static bool cut(struct machine *m, uint32_t id, uint64_t at, uint64_t size)
{
    const struct vmap_area *a = area_r(m, id);
    bool from_start = a->start == at, to_end = a->end == at + size;
    if (from_start && to_end) {
        vmap_remove(m, &m->vm->free, id);
        vm_node_give(m, id);
        return true;
    }
    if (from_start) {
        area_w(m, id)->start += size;
    } else if (to_end) {
        area_w(m, id)->end = at;
    } else {
        uint32_t lower = vm_node_take(m);
        if (!lower) {
            return false;
        }
        struct vmap_area *l = area_w(m, lower), *upper = area_w(m, id);
        l->start = upper->start;
        l->end = at;
        upper->start = at + size;
        propagate(m, id);
        vmap_insert(m, &m->vm->free, lower);
        return true;
    }
    propagate(m, id);
    return true;
}

uint64_t vmap_cut(struct machine *m, uint64_t size, uint64_t align, uint64_t vstart,
                  uint64_t vend)
{
    const struct want w = {size, align, vstart, width_mask(m)};
    bool adjust = align > PAGE_SIZE && vend - vstart != size;
    fn_enter(&m->probe, FN___alloc_vmap_area, size, align, vstart, vend);
    uint64_t answer = vend;
    uint32_t id = find_lowest_match(m, &w, adjust ? (size + align - 1) & w.mask : size);
    if (id) {
        const struct vmap_area *a = area_r(m, id);
        uint64_t start = a->start, end = a->end;
        uint64_t at = align_up(start > vstart ? start : vstart, align, w.mask);
        if (at + size <= vend && cut(m, id, at, size)) {
            probe(&m->probe, EV_VMAP_CUT, at, at + size, start, end);
            answer = at;
        }
    }
    fn_leave(&m->probe);
    return answer;
}

/* ---- invariants ---- */

/* Black height of the subtree, or -1. */
static int check_subtree(const struct machine *m, const struct vmap_set *s, uint32_t id,
                         uint32_t parent, uint32_t depth)
{
    if (!id) {
        return 1;
    }
    const struct vmap_area *a = area_r(m, id);
    if (depth > 64 || parent_of(a) != parent || (is_red(m, id) && is_red(m, parent)) ||
        (augmented(m, s) && a->subtree_max != compute_max(m, id))) {
        return -1;
    }
    int left = check_subtree(m, s, a->child[LEFT], id, depth + 1);
    int right = check_subtree(m, s, a->child[RIGHT], id, depth + 1);
    return left < 0 || left != right ? -1 : left + !is_red(m, id);
}

const char *vmap_set_check(const struct machine *m, const struct vmap_set *s)
{
    uint64_t end = 0;
    uint32_t nr = 0, prev = 0;
    for (uint32_t id = s->first; id; id = area_r(m, id)->next) {
        const struct vmap_area *a = area_r(m, id);
        if (a->prev != prev || a->start < end || a->end <= a->start || nr++ > s->nr) {
            return "vmap: a list of areas is not sorted by address (I1)";
        }
        if (vmap_find(m, s, a->start) != id) {
            return "vmap: an area is on the list but not in the tree (I1)";
        }
        end = a->end;
        prev = id;
    }
    if (s->last != prev || s->nr != nr) {
        return "vmap: a list of areas does not end where it should (I1)";
    }
    return check_subtree(m, s, s->root, 0, 0) < 0
               ? "vmap: a tree is not balanced, or a subtree_max is wrong (I2)"
               : NULL;
}
