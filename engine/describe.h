/* Words for what the machine does: events, functions and operations as text, all from the
 * tables.
 *
 * Every *_format answers the length as snprintf does and never fails.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H

#include "machine.h"

struct event_info {
    const char *id, *name, *args, *sentence;
    enum event_level level;
};
/* NULL for a kind that does not exist. */
const struct event_info *event_info(uint16_t kind);
/* The kind of "buddy:split"; 0 when there is none. */
uint16_t event_kind_by_name(const char *name);
/* How many arguments a description has. */
uint32_t args_count(const char *args);
/* Name and type of argument i of an event, function or operation description ("pfn:pfn
 * order:order"). False past the end. Both are copied and cut to 31 characters. */
bool arg_describe(const char *args, uint32_t i, char name[32], char type[32]);
/* "ioremap(phys, size) -> address": a description as a person writes it; result: a type,
 * NULL or "-" for none. */
int signature_format(char *buf, size_t size, const char *name, const char *args,
                     const char *result);
/* One value as its type wants it: pfn 0x4fde, GFP_KERNEL, Unmovable, Normal. m gives
 * zone names. */
int value_format(char *buf, size_t size, const struct machine *m, const char *type,
                 uint64_t value);

/* "buddy:split zone=Normal pfn=0x1c04 order=2 migratetype=Unmovable" */
int event_format(char *buf, size_t size, const struct machine *m, const struct event *ev);
/* The sentence of all such events: "<pfn> of order <order> is given back." */
int event_sentence(char *buf, size_t size, uint16_t kind);
/* The event's sentence with its numbers in it. */
int event_explain(char *buf, size_t size, const struct machine *m,
                  const struct event *ev);

struct fn_info {
    const char *name, *file, *args, *sentence;
};
const struct fn_info *fn_info(uint16_t fn);
/* The file of the kernel's source that it is in. What both object allocators have stands
 * in the table as SLAB's. */
const char *fn_file(const struct machine *m, uint16_t fn);
/* "rmqueue_bulk(zone=Normal, order=0, count=63, migratetype=Unmovable)" */
int frame_format(char *buf, size_t size, const struct machine *m,
                 const struct probe_frame *f);

struct op_info {
    const char *id, *name, *args, *result, *sentence;
};
const struct op_info *op_info(uint16_t kind);
uint16_t op_kind_by_name(const char *name); /* UINT16_MAX: none */
/* "alloc_pages(GFP_KERNEL, 2)", and with a result " = 0x1c04" (pass NULL for none). */
int op_format(char *buf, size_t size, const struct machine *m, const struct op *op,
              const uint64_t *result);

/* A report event (level EVENT_REPORT) as the lines that the kernel would print,
 * newline-separated, without time stamps; uses the machine's state and call stack at
 * the event. */
int report_format(char *buf, size_t size, const struct machine *m,
                  const struct event *ev);

#endif
