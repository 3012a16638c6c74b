/* What the parts of the record's reader share: a line is taken apart word by word.
 *
 *   record.c         sections, boot messages, the whole
 *   record_lines.c   the probe's calls, headings and kinds that are not modelled
 *   record_state.c   the lines of a state dump
 *   record_vm.c      the lines of the address space
 *   record_slab.c    the lines of objects
 *   record_words.c   words, numbers, key=value fields, errors
 *
 * Every function that answers bool says false after say_failed(); the first error counts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_RECORD_PRIVATE_H
#define SCRIPTS_RECORD_PRIVATE_H

#include "record.h"

struct parser {
    struct record *r;
    const char *name;
    uint32_t line;
    const char *at, *end; /* what is left of the line */
    bool failed;
    char *err;
    size_t err_size;
    struct record_state *state; /* the dump that is open */
    gfp_t last_gfp;
    char last_gfp_text[128];
};

struct word {
    const char *text;
    size_t len;
};

/* ---- record_words.c ---- */

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void say_failed(struct parser *p, const char *format, ...);
/* Answers false, for return fail(...). */
#define fail(...) (say_failed(__VA_ARGS__), false)

/* Room for one more row behind the nr that a table has. */
bool table_grow(struct parser *p, void **table, uint32_t nr, size_t size);
/* Appends value to r->table. */
#define APPEND(p, table, nr, value)                                                      \
    (table_grow(p, (void **)&(p)->r->table, (p)->r->nr, sizeof *(p)->r->table) &&        \
     ((p)->r->table[(p)->r->nr++] = (value), true))

void skip_blanks(struct parser *p);
bool at_end(struct parser *p);      /* nothing but blanks is left of the line */
bool end_of_line(struct parser *p); /* ... or an error */
bool next_word(struct parser *p, struct word *w);
bool word_is(struct word w, const char *text);
bool bad_word(struct parser *p, struct word w, const char *wanted);
bool to_number(struct word w, unsigned base, uint64_t most, uint64_t *out);
bool next_number(struct parser *p, unsigned base, uint64_t most, uint64_t *out);
bool next_pfn(struct parser *p, uint32_t *out);

struct field {
    const char *key;
    uint64_t *value; /* or: */
    int32_t *signed_value;
    uint64_t most;
};
/* The rest of the line as key=value: every field once, in any order, and nothing else. */
bool parse_fields(struct parser *p, const struct field *fields, size_t nr);

extern const char *const record_zone_names[MAX_NR_ZONES];

/* ---- the lines ---- */

typedef bool parse_line_fn(struct parser *p);
/* record_state.c */
parse_line_fn parse_state, parse_zone, parse_pcp, parse_pcplist, parse_freelist,
    parse_blocks, parse_lru;
/* All dumps have all their lines. */
bool check_states(struct parser *p);
/* record_vm.c: the rest of a line of this kind; false with nothing said: it is none of
 * the address space's. */
bool parse_vm_line(struct parser *p, enum record_kind kind);
bool record_kind_is_vm(enum record_kind kind);
/* record_slab.c: the same for objects. */
bool parse_slab_line(struct parser *p, enum record_kind kind);
/* record_lines.c: one line of the probe's. */
parse_line_fn parse_probe_line;

#endif
