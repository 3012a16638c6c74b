/* Snapshots of an arena: taking one, going back to one, letting one go (see
 * arena_private.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "arena_private.h"

#include <stdlib.h>
#include <string.h>

struct line {
    uint32_t refs;
    unsigned char bytes[LINE_BYTES];
};

struct leaf { /* a chunk */
    uint32_t refs;
    struct line *line[LEAF_LINES];
};

struct node {
    uint32_t refs;
    uint64_t stamp; /* the snapshot that made it: only while that one is built may it be
                       written */
    void *slot[NODE_FAN]; /* struct node, or struct leaf on level 0 */
};

struct snapshot {
    uint32_t refs;
    struct node *root;
};

static const unsigned char zero_line[LINE_BYTES];

static size_t slot_of(size_t chunk, uint32_t level)
{
    return chunk >> (level * NODE_SHIFT) & (NODE_FAN - 1);
}

static bool line_is(const struct line *l, const unsigned char *bytes)
{
    return memcmp(l ? l->bytes : zero_line, bytes, LINE_BYTES) == 0;
}

static void line_unref(struct arena *a, struct line *l)
{
    if (l && !--l->refs) {
        a->priv->snapshot_bytes -= sizeof *l;
        free(l);
    }
}

static void leaf_unref(struct arena *a, struct leaf *l)
{
    if (!l || --l->refs) {
        return;
    }
    for (size_t i = 0; i < LEAF_LINES; i++) {
        line_unref(a, l->line[i]);
    }
    a->priv->snapshot_bytes -= sizeof *l;
    free(l);
}

static void tree_unref(struct arena *a, struct node *n, uint32_t level)
{
    if (!n || --n->refs) {
        return;
    }
    for (size_t i = 0; i < NODE_FAN; i++) {
        if (level) {
            tree_unref(a, n->slot[i], level - 1);
        } else {
            leaf_unref(a, n->slot[i]);
        }
    }
    a->priv->snapshot_bytes -= sizeof *n;
    free(n);
}

static struct leaf *tree_leaf(const struct snapshot *s, uint32_t levels, size_t chunk)
{
    const struct node *n = s ? s->root : NULL;
    for (uint32_t level = levels - 1; n && level; level--) {
        n = n->slot[slot_of(chunk, level)];
    }
    return n ? n->slot[slot_of(chunk, 0)] : NULL;
}

bool snapshot_chunk_is(const struct snapshot *s, uint32_t levels, size_t chunk,
                       const unsigned char *bytes)
{
    const struct leaf *l = tree_leaf(s, levels, chunk);
    for (size_t i = 0; i < LEAF_LINES; i++) {
        if (!line_is(l ? l->line[i] : NULL, bytes + i * LINE_BYTES)) {
            return false;
        }
    }
    return true;
}

/* ---- taking one ---- */

/* A node in place of *at that this snapshot may write. NULL: no memory. */
static struct node *node_own(struct arena *a, void **at, uint32_t level)
{
    struct node *old = *at;
    if (old && old->stamp == a->priv->nr_snapshots) {
        return old;
    }
    struct node *n = old ? malloc(sizeof *n) : calloc(1, sizeof *n);
    if (!n) {
        return NULL;
    }
    if (old) {
        memcpy(n->slot, old->slot, sizeof n->slot);
        for (size_t i = 0; i < NODE_FAN; i++) {
            if (n->slot[i] && level) {
                ((struct node *)n->slot[i])->refs++;
            } else if (n->slot[i]) {
                ((struct leaf *)n->slot[i])->refs++;
            }
        }
        tree_unref(a, old, level);
    }
    n->refs = 1;
    n->stamp = a->priv->nr_snapshots;
    a->priv->snapshot_bytes += sizeof *n;
    *at = n;
    return n;
}

static struct line *line_copy(struct arena *a, const unsigned char *bytes)
{
    struct line *l = malloc(sizeof *l);
    if (l) {
        l->refs = 1;
        memcpy(l->bytes, bytes, LINE_BYTES);
        a->priv->snapshot_bytes += sizeof *l;
    }
    return l;
}

/* A leaf of these bytes that shares with old (or NULL) every line that is the same.
 * False: no memory. *out is NULL for zeros. */
static bool leaf_copy(struct arena *a, const struct leaf *old, const unsigned char *bytes,
                      struct leaf **out)
{
    struct leaf *l = malloc(sizeof *l);
    *out = NULL;
    if (!l) {
        return false;
    }
    a->priv->snapshot_bytes += sizeof *l;
    l->refs = 1;
    size_t i, nr = 0;
    for (i = 0; i < LEAF_LINES; i++, bytes += LINE_BYTES) {
        struct line *was = old ? old->line[i] : NULL;
        l->line[i] = NULL;
        if (line_is(was, bytes)) {
            l->line[i] = was;
            if (was) {
                was->refs++;
            }
        } else if (!line_is(NULL, bytes) && !(l->line[i] = line_copy(a, bytes))) {
            break;
        }
        nr += l->line[i] != NULL;
    }
    if (i == LEAF_LINES && nr) {
        *out = l;
        return true;
    }
    memset(l->line + i, 0, (LEAF_LINES - i) * sizeof l->line[0]);
    leaf_unref(a, l);
    return i == LEAF_LINES;
}

static bool tree_store(struct arena *a, struct snapshot *s, size_t chunk)
{
    const struct arena_private *p = a->priv;
    const unsigned char *bytes = a->base + (chunk << ARENA_CHUNK_SHIFT);
    if (snapshot_chunk_is(p->last, p->levels, chunk, bytes)) {
        return true; /* marked, but as it was: share it */
    }
    void *root = s->root;
    void **at = &root;
    for (uint32_t level = p->levels; level--;) {
        struct node *n = node_own(a, at, level);
        s->root = root;
        if (!n) {
            return false;
        }
        at = &n->slot[slot_of(chunk, level)];
    }
    struct leaf *old = *at, *l;
    if (!leaf_copy(a, old, bytes, &l)) {
        return false;
    }
    *at = l;
    leaf_unref(a, old);
    return true;
}

struct snapshot *arena_snapshot(struct arena *a)
{
    struct arena_private *p = a->priv;
    struct chunk_list *changed = &p->list[LIST_CHANGED];
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    p->snapshot_bytes += sizeof *s;
    p->nr_snapshots++;
    s->refs = 1;
    s->root = p->last ? p->last->root : NULL;
    if (s->root) {
        s->root->refs++;
    }
    for (size_t i = 0; i < changed->nr; i++) {
        if (!tree_store(a, s, changed->chunk[i])) {
            snapshot_unref(a, s);
            return NULL;
        }
    }
    arena_rejoin(a, s);
    return s;
}

void arena_rejoin(struct arena *a, struct snapshot *s)
{
    struct chunk_list *changed = &a->priv->list[LIST_CHANGED];
    a->era++;
    for (size_t i = 0; i < changed->nr; i++) {
        a->marks[changed->chunk[i]] &= (unsigned char)~ARENA_CHANGED;
    }
    changed->nr = 0;
    snapshot_ref(s);
    snapshot_unref(a, a->priv->last);
    a->priv->last = s;
}

/* ---- going back ---- */

/* The lines in which the leaves differ (was == is: all lines) become those of is. Trees
 * that were made apart may differ without need, and views and digest look at what is
 * marked: so bytes that are right already are left alone. */
static void chunk_set(struct arena *a, size_t chunk, const struct leaf *was,
                      const struct leaf *is)
{
    unsigned char *bytes = a->base + (chunk << ARENA_CHUNK_SHIFT);
    bool written = false;
    for (size_t i = 0; i < LEAF_LINES; i++, bytes += LINE_BYTES) {
        const struct line *from = was ? was->line[i] : NULL,
                          *to = is ? is->line[i] : NULL;
        if ((from != to || was == is) && !line_is(to, bytes)) {
            memcpy(bytes, to ? to->bytes : zero_line, LINE_BYTES);
            written = true;
        }
    }
    if (written) {
        arena_mark_bits(a, chunk, ARENA_UNSEEN | ARENA_UNHASHED);
    }
}

/* The chunks in which the trees differ, except those that are marked: they are set
 * anyway. */
static void tree_restore(struct arena *a, const struct node *from, const struct node *to,
                         uint32_t level, size_t first)
{
    for (size_t i = 0; from != to && i < NODE_FAN; i++) {
        const void *was = from ? from->slot[i] : NULL, *is = to ? to->slot[i] : NULL;
        size_t chunk = first + (i << (level * NODE_SHIFT));
        if (was == is) {
            continue;
        }
        if (level) {
            tree_restore(a, was, is, level - 1, chunk);
        } else if (!(a->marks[chunk] & ARENA_CHANGED)) {
            chunk_set(a, chunk, was, is);
        }
    }
}

void arena_restore(struct arena *a, const struct snapshot *s)
{
    struct arena_private *p = a->priv;
    struct chunk_list *changed = &p->list[LIST_CHANGED];
    a->era++;
    tree_restore(a, p->last ? p->last->root : NULL, s->root, p->levels - 1, 0);
    for (size_t i = 0; i < changed->nr; i++) {
        size_t chunk = changed->chunk[i];
        const struct leaf *l = tree_leaf(s, p->levels, chunk);
        chunk_set(a, chunk, l, l);
        a->marks[chunk] &= (unsigned char)~ARENA_CHANGED;
    }
    changed->nr = 0;
    if (p->last != s) {
        snapshot_unref(a, p->last);
        p->last =
            snapshot_ref((struct snapshot *)(uintptr_t)s); /* only its count changes */
    }
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    s->refs++;
    return s;
}

void snapshot_unref(struct arena *a, struct snapshot *s)
{
    if (s && !--s->refs) {
        tree_unref(a, s->root, a->priv->levels - 1);
        a->priv->snapshot_bytes -= sizeof *s;
        free(s);
    }
}

size_t arena_snapshot_bytes(const struct arena *a) { return a->priv->snapshot_bytes; }
