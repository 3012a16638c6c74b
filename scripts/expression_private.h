/* What compiling and evaluating conditions share. Nobody else includes this.
 *
 *   expression_parse.c  text to tree; which globals it depends on
 *   expression.c        the tree's value at an event
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_EXPRESSION_PRIVATE_H
#define SCRIPTS_EXPRESSION_PRIVATE_H

#include "expression.h"

enum { MAX_NODES = 64, MAX_SLOTS = 16, MAX_DEPTH = 30, MAX_GLOBALS = 16, NAME_ROOM = 32 };

enum operation {
    O_CONST,
    O_SLOT, /* a field of the event or a local of the script */
    O_ZONE, /* a field of a zone */
    O_NR_FREE,
    O_FREELIST,
    O_PCP_COUNT,
    O_MACHINE,
    O_VMSTAT,
    O_VMSTAT_ROW,
    O_PFN,
    O_AND,
    O_OR,
    O_NOT,
    O_NEGATIVE,
    O_COMPLEMENT,
    O_EQ,
    O_NE,
    O_LT,
    O_LE,
    O_GT,
    O_GE,
    O_BOR,
    O_BXOR,
    O_BAND,
    O_SHL,
    O_SHR,
    O_ADD,
    O_SUB,
    O_MUL,
    O_DIV,
    O_IDIV,
    O_MOD
};

/* Fields, as engine/inspect.h gives them. pcp_pages is a sum over the CPUs. */
#define ZONE_FIELDS(X)                                                                   \
    X(free, z->free > 0 ? (uint64_t)z->free : 0)                                         \
    X(min, z->watermark[WMARK_MIN])                                                      \
    X(low, z->watermark[WMARK_LOW])                                                      \
    X(high, z->watermark[WMARK_HIGH])                                                    \
    X(boost, z->watermark_boost)                                                         \
    X(managed, z->managed)                                                               \
    X(present, z->present)                                                               \
    X(spanned, z->spanned)                                                               \
    X(start_pfn, z->start_pfn)                                                           \
    X(end_pfn, z->start_pfn + z->spanned)                                                \
    X(highatomic, z->nr_reserved_highatomic)                                             \
    X(flags, z->flags)                                                                   \
    X(pageset_high, z->pageset_high)                                                     \
    X(pageset_batch, z->pageset_batch)                                                   \
    X(pcp_pages, zone_view(m, zone).pcp_pages)                                           \
    X(index, zone)
#define MACHINE_FIELDS(X)                                                                \
    X(nr_ops, machine_nr_ops(m))                                                         \
    X(totalreserve_pages, machine_totalreserve_pages(m))                                 \
    X(min_free_kbytes, machine_min_free_kbytes(m))                                       \
    X(max_pfn, machine_max_pfn(m))                                                       \
    X(pageblock_order, machine_pageblock_order(m))                                       \
    X(ram, m->config.ram_bytes)                                                          \
    X(cpus, m->config.cpus)                                                              \
    X(max_order, m->config.max_order)                                                    \
    X(page_size, PAGE_SIZE)

#define NUMBER_(name, value) ZONE_##name,
enum zone_field { ZONE_FIELDS(NUMBER_) NR_ZONE_FIELDS };
#undef NUMBER_
#define NUMBER_(name, value) MACHINE_##name,
enum machine_field { MACHINE_FIELDS(NUMBER_) NR_MACHINE_FIELDS };
#undef NUMBER_

struct node {
    uint8_t operation;
    uint8_t left, right; /* operands; O_SLOT: which */
    uint32_t a, b, c;    /* what to read */
    struct value value;  /* O_CONST */
};

/* What kind of value an argument's type gives: as push_typed does. */
enum arg_form { FORM_NONE, FORM_NUMBER, FORM_BOOL, FORM_PAGE, FORM_TEXT, FORM_OTHER };
enum { NR_TEXT_TYPES = 5 };
extern const char *const expression_text_types[NR_TEXT_TYPES];

/* Of the event itself, beside its arguments: ev.n */
enum own_field { OWN_NONE, OWN_EVENT, OWN_CPU, OWN_CONTEXT, OWN_N, OWN_DEPTH };

struct slot { /* a name that means something else at each event */
    char name[NAME_ROOM];
    bool of_ev; /* ev.NAME: never a local */
    enum own_field own;
    uint8_t form[NR_EVENTS], arg[NR_EVENTS], text_type[NR_EVENTS];
    /* the text of the last value that was one */
    char text[32];
    uint8_t texts_type;
    uint64_t texts_value;
    bool texts_known;
    /* the local of that name before an operation */
    bool local_known, local_answers;
    uint32_t local_branch;
    uint64_t local_op;
    struct value local;
    char local_text[64];
};

struct used_global { /* what it was when compiled */
    char name[NAME_ROOM];
    bool api; /* the API's own; else a plain value, or none */
    struct value value;
};

struct expression {
    struct session *session;
    struct node node[MAX_NODES];
    struct slot *slot; /* MAX_SLOTS */
    struct used_global global[MAX_GLOBALS];
    uint8_t nr_nodes, nr_slots, nr_globals, root;
    char strings[512]; /* constants */
    size_t nr_string_bytes;
};

#endif
