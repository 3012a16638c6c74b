/* Texts by number, the places in scripts that operations came from, and the locals there.
 *
 * Texts are kept for ever, because records refer to them, up to an eighth of the
 * history's memory; then every new text becomes the one that says so. Locals change with
 * nearly every operation: they are a ring, the oldest are forgotten.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "timeline_private.h"

static const char full_text[] = "(not kept: the history's memory is full of texts)";
enum { FULL_TEXT_ID = 1 };

static uint32_t text_hash(const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *text; text++) {
        h = (h ^ (unsigned char)*text) * 16777619u;
    }
    return h;
}

static char *copy_text(struct timeline *t, const char *text, size_t *bytes)
{
    size_t size = strlen(text) + 1;
    char *copy = timeline_alloc(t, NULL, size);
    memcpy(copy, text, size);
    *bytes += size + 16; /* and what malloc puts around it */
    return copy;
}

/* ---- texts ---- */

static void rehash(struct timeline *t)
{
    struct strings *s = &t->strings;
    uint32_t size = s->hash_size ? s->hash_size * 2 : 64;
    free(s->hash);
    s->bytes += (size - s->hash_size) * sizeof *s->hash;
    s->hash = timeline_alloc(t, NULL, size * sizeof *s->hash);
    memset(s->hash, 0, size * sizeof *s->hash);
    s->hash_size = size;
    for (uint32_t id = 1; id < s->nr; id++) {
        uint32_t at = text_hash(s->text[id]) & (size - 1);
        while (s->hash[at]) {
            at = (at + 1) & (size - 1);
        }
        s->hash[at] = id;
    }
}

uint32_t timeline_intern(struct timeline *t, const char *text)
{
    struct strings *s = &t->strings;
    if (!text || !*text) {
        return 0;
    }
    if (s->nr * 2 >= s->hash_size) {
        rehash(t);
    }
    uint32_t at = text_hash(text) & (s->hash_size - 1);
    for (; s->hash[at]; at = (at + 1) & (s->hash_size - 1)) {
        if (strcmp(s->text[s->hash[at]], text) == 0) {
            return s->hash[at];
        }
    }
    if (s->bytes + strlen(text) > t->history_bytes / 8 && s->nr > FULL_TEXT_ID) {
        return FULL_TEXT_ID;
    }
    GROW(t, s->text, s->nr, s->room, &s->bytes);
    s->text[s->nr] = copy_text(t, text, &s->bytes);
    s->hash[at] = s->nr;
    return s->nr++;
}

const char *timeline_string(const struct timeline *t, uint32_t id)
{
    return id < t->strings.nr ? t->strings.text[id] : "";
}

/* ---- sites ---- */

static uint32_t site_hash(const struct site_row *r)
{
    uint32_t h = (r->file * 0x9e3779b1u ^ r->line) * 0x85ebca77u ^ r->stack * 0xc2b2ae3du;
    return h ^ h >> 15;
}

static void site_rehash(struct timeline *t)
{
    struct strings *s = &t->strings;
    uint32_t size = s->site_hash_size ? s->site_hash_size * 2 : 64;
    free(s->site_hash);
    s->bytes += (size - s->site_hash_size) * sizeof *s->site_hash;
    s->site_hash = timeline_alloc(t, NULL, size * sizeof *s->site_hash);
    memset(s->site_hash, 0, size * sizeof *s->site_hash);
    s->site_hash_size = size;
    for (uint32_t id = 1; id < s->nr_sites; id++) {
        uint32_t at = site_hash(&s->sites[id]) & (size - 1);
        while (s->site_hash[at]) {
            at = (at + 1) & (size - 1);
        }
        s->site_hash[at] = id;
    }
}

uint32_t timeline_intern_site(struct timeline *t, const char *file, uint32_t line,
                              const char *stack)
{
    struct strings *s = &t->strings;
    const struct site_row row = {timeline_intern(t, file), line,
                                 timeline_intern(t, stack)};
    if (s->nr_sites * 2 >= s->site_hash_size) {
        site_rehash(t);
    }
    uint32_t at = site_hash(&row) & (s->site_hash_size - 1);
    for (; s->site_hash[at]; at = (at + 1) & (s->site_hash_size - 1)) {
        const struct site_row *r = &s->sites[s->site_hash[at]];
        if (r->file == row.file && r->line == row.line && r->stack == row.stack) {
            return s->site_hash[at];
        }
    }
    if (s->bytes > t->history_bytes / 8) {
        return 0;
    }
    GROW(t, s->sites, s->nr_sites, s->room_sites, &s->bytes);
    s->sites[s->nr_sites] = row;
    s->site_hash[at] = s->nr_sites;
    return s->nr_sites++;
}

struct site timeline_site(const struct timeline *t, uint32_t site)
{
    const struct strings *s = &t->strings;
    if (site >= s->nr_sites) {
        site = 0;
    }
    const struct site_row *r = &s->sites[site];
    return (struct site){timeline_string(t, r->file), r->line,
                         timeline_string(t, r->stack)};
}

/* ---- locals ---- */

enum { LOCALS_ROWS = 1 << 15, LOCALS_HASH = LOCALS_ROWS * 4 };

struct locals_text { /* shared by the operations between which nothing changed */
    uint32_t refs;
    char text[];
};

struct locals_row {
    uint32_t branch;
    uint32_t next; /* in its hash bucket: row + 1 */
    uint64_t op;
    struct locals_text *text;
};

static uint32_t locals_bucket(uint32_t branch, uint64_t op)
{
    uint64_t h = (op + ((uint64_t)branch << 40)) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 40) & (LOCALS_HASH - 1);
}

static void locals_text_unref(struct strings *s, struct locals_text *x)
{
    if (x && --x->refs == 0) {
        s->locals_bytes -= sizeof *x + strlen(x->text) + 17;
        free(x);
    }
}

static void locals_forget(struct strings *s, uint64_t n)
{
    struct locals_row *r = &s->locals[n % LOCALS_ROWS];
    if (!r->text) {
        return;
    }
    uint32_t *link = &s->locals_hash[locals_bucket(r->branch, r->op)];
    while (*link != n % LOCALS_ROWS + 1) {
        link = &s->locals[*link - 1].next;
    }
    *link = r->next;
    locals_text_unref(s, r->text);
    r->text = NULL;
}

static struct locals_row *locals_find(const struct strings *s, uint32_t branch,
                                      uint64_t op)
{
    for (uint32_t at = s->locals ? s->locals_hash[locals_bucket(branch, op)] : 0; at;) {
        struct locals_row *r = &s->locals[at - 1];
        if (r->branch == branch && r->op == op) {
            return r;
        }
        at = r->next;
    }
    return NULL;
}

void timeline_set_locals(struct timeline *t, uint32_t branch, uint64_t op,
                         const char *locals)
{
    struct strings *s = &t->strings;
    if (branch >= t->nr_branches) {
        return;
    }
    if (!s->locals) {
        s->locals = timeline_alloc(t, NULL, LOCALS_ROWS * sizeof *s->locals);
        memset(s->locals, 0, LOCALS_ROWS * sizeof *s->locals);
        s->locals_hash = timeline_alloc(t, NULL, LOCALS_HASH * sizeof *s->locals_hash);
        memset(s->locals_hash, 0, LOCALS_HASH * sizeof *s->locals_hash);
        s->bytes +=
            LOCALS_ROWS * sizeof *s->locals + LOCALS_HASH * sizeof *s->locals_hash;
    }
    branch = branch_owner(t, branch, op);
    struct locals_row *old = locals_find(s, branch, op);
    if (old) {
        locals_forget(s, (uint64_t)(old - s->locals));
    }
    struct locals_row *last =
        s->nr_locals ? &s->locals[(s->nr_locals - 1) % LOCALS_ROWS] : NULL;
    struct locals_text *text =
        last && last->text && strcmp(last->text->text, locals) == 0 ? last->text : NULL;
    if (!text) {
        size_t size = strlen(locals) + 1;
        text = timeline_alloc(t, NULL, sizeof *text + size);
        text->refs = 0;
        memcpy(text->text, locals, size);
        s->locals_bytes += sizeof *text + size + 16;
    }
    text->refs++;
    const uint64_t n = s->nr_locals++;
    while (s->oldest_locals < n && (s->locals_bytes > t->history_bytes / 16 ||
                                    s->oldest_locals + LOCALS_ROWS <= n)) {
        locals_forget(s, s->oldest_locals++);
    }
    uint32_t *bucket = &s->locals_hash[locals_bucket(branch, op)];
    s->locals[n % LOCALS_ROWS] = (struct locals_row){branch, *bucket, op, text};
    *bucket = (uint32_t)(n % LOCALS_ROWS) + 1;
}

const char *timeline_locals(const struct timeline *t, uint32_t branch, uint64_t op)
{
    if (branch >= t->nr_branches) {
        return "";
    }
    const struct locals_row *r =
        locals_find(&t->strings, branch_owner(t, branch, op), op);
    return r ? r->text->text : "";
}

/* ---- all of it ---- */

void strings_init(struct timeline *t)
{
    struct strings *s = &t->strings;
    for (int i = 0; i < 2; i++) {
        GROW(t, s->text, s->nr, s->room, &s->bytes);
        s->text[s->nr++] = copy_text(t, i == FULL_TEXT_ID ? full_text : "", &s->bytes);
    }
    GROW(t, s->sites, s->nr_sites, s->room_sites, &s->bytes);
    s->sites[s->nr_sites++] = (struct site_row){0, 0, 0};
}

void strings_free(struct timeline *t)
{
    struct strings *s = &t->strings;
    for (uint32_t i = 0; i < s->nr; i++) {
        free(s->text[i]);
    }
    for (uint64_t i = 0; s->locals && i < LOCALS_ROWS; i++) {
        locals_text_unref(s, s->locals[i].text);
    }
    free(s->text);
    free(s->hash);
    free(s->sites);
    free(s->site_hash);
    free(s->locals);
    free(s->locals_hash);
}
