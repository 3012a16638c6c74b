/* Commands: expressions, memory and addresses, as gdb and crash show them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "api.h"
#include "command_run.h"

#include "describe.h"
#include "inspect_hw.h"
#include "memsys.h"
#include "pane.h"
#include "popup.h"
#include "space_map.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- expressions ---- */

void run_print(struct app *a, const char *args)
{
    char *out = NULL;
    bool good = session_console(a->session, *args ? args : "nil", &out);
    size_t len = out ? strlen(out) : 0;
    while (len && out[len - 1] == '\n') {
        out[--len] = 0;
    }
    if (out && (strchr(out, '\n') || text_width(out) > a->cols - 4)) {
        popup_text(a, good ? args : "Error", out);
        return;
    }
    app_message(a, good ? MESSAGE_INFO : MESSAGE_ERROR, "%s", out ? out : "");
    free(out);
}

/* ---- memory ---- */

struct examine {
    uint32_t count, size;
    char format;
};

/* "/8xw" as gdb has it: a count, a letter for the format (x d u c s t) and one for the
 * size (b h w g). False: another letter. */
static bool parse_format(const char **args, struct examine *e)
{
    const char *at = *args;
    if (*at != '/') {
        return true;
    }
    at++;
    if (isdigit((unsigned char)*at)) {
        char *end;
        e->count = (uint32_t)strtoul(at, &end, 10);
        at = end;
    }
    for (; *at && *at != ' '; at++) {
        switch (*at) {
        case 'b':
            e->size = 1;
            break;
        case 'h':
            e->size = 2;
            break;
        case 'w':
            e->size = 4;
            break;
        case 'g':
            e->size = 8;
            break;
        case 'x':
        case 'd':
        case 'u':
        case 'c':
        case 's':
        case 't':
            e->format = *at;
            break;
        default:
            return false;
        }
    }
    *args = at + strspn(at, " ");
    return true;
}

/* An address: a number, or an expression of Lua. */
static bool address_of(struct app *a, const char *text, uint64_t *address)
{
    char *end, value[64], err[200];
    *address = strtoull(text, &end, 0);
    if (end != text && !end[strspn(end, " ")]) {
        return true;
    }
    struct condition *c = session_condition(a->session, text, err, sizeof err);
    if (!c) {
        app_message(a, MESSAGE_ERROR, "%s", err);
        return false;
    }
    condition_test(c, timeline_machine(a->t), NULL, value, sizeof value);
    condition_forget(c);
    const char *digits = !strncmp(value, "page ", 5) ? value + 5 : value;
    *address = strtoull(digits, &end, 0);
    if (digits != value) {
        *address <<= PAGE_SHIFT;
    }
    if (end == digits || *end) {
        app_message(a, MESSAGE_ERROR, "%s is no address but %s.", text, value);
        return false;
    }
    return true;
}

static void put_value(struct text_buf *b, const struct examine *e, uint64_t value)
{
    const int shift = 64 - (int)e->size * 8;
    switch (e->format) {
    case 'd':
        text_add(b, "%" PRId64, (int64_t)(value << shift) >> shift);
        break;
    case 'u':
        text_add(b, "%" PRIu64, value);
        break;
    case 'c':
    case 's':
        text_add(b, "%c", isprint((int)(value & 0xff)) ? (char)value : '.');
        break;
    case 't':
        for (int bit = (int)e->size * 8 - 1; bit >= 0; bit--) {
            text_add(b, "%c", value >> bit & 1 ? '1' : '0');
        }
        break;
    default:
        text_add(b, "0x%0*" PRIx64, (int)e->size * 2, value);
        break;
    }
}

void run_x(struct app *a, const char *args)
{
    enum { MOST = 4096 };
    const int width = a->model.m->config.arch == ARCH_X86_64 ? 16 : 8;
    struct examine e = {8, 4, 'x'};
    const char *rest;
    if (!parse_format(&args, &e)) {
        app_message(a, MESSAGE_ERROR,
                    "The format is a count, one of x d u c s t, and one "
                    "of b h w g: x/8xw 0xc0100000");
        return;
    }
    if (e.format == 'c' || e.format == 's') {
        e.size = 1;
    }
    const bool physical = first_word_is(args, "phys", &rest);
    uint64_t at;
    if (!*(physical ? rest : args)) {
        app_message(a, MESSAGE_ERROR,
                    "x wants an address: x/8xw 0xc0100000, x phys 0x1000");
        return;
    }
    if (!address_of(a, physical ? rest : args, &at)) {
        return;
    }
    const uint32_t a_line = e.format == 's' || e.format == 'c' ? 64 : 16 / e.size;
    struct text_buf b = {0};
    e.count = e.count < 1 ? 1 : e.count > MOST / e.size ? MOST / e.size : e.count;
    for (uint32_t i = 0; i < e.count; i++) {
        const uint64_t va = at + (uint64_t)i * e.size;
        uint64_t value = 0;
        const bool there =
            physical
                ? hw_read_phys(a->model.m, va, &value, e.size)
                : hw_read_virt(a->model.m, a->cpu, va, hw_is_user(a->model.m, a->cpu, va),
                               (unsigned char *)&value, NULL, e.size) == e.size;
        if (i % a_line == 0) {
            text_add(&b, "%s0x%0*" PRIx64 ":\t", i ? "\n" : "", width, va);
        } else if (e.format != 'c' && e.format != 's') {
            text_add(&b, "\t");
        }
        if (!there) {
            text_add(&b, "Cannot access memory at address 0x%" PRIx64, va);
            break;
        }
        put_value(&b, &e, value);
    }
    text_add(&b, "\n");
    popup_text(a, physical ? "Physical memory" : "Memory", b.text);
}

/* ---- whatis ---- */

void run_whatis(struct app *a, const char *args)
{
    const char *rest = args;
    const bool physical =
        first_word_is(args, "physical", &rest) || first_word_is(args, "phys", &rest);
    char title[64];
    uint64_t address;
    if (!*rest) {
        app_message(a, MESSAGE_ERROR, "whatis wants an address, as 0xc0100000.");
    } else if (address_of(a, rest, &address)) {
        snprintf(title, sizeof title, "What is %s%#" PRIx64 "?",
                 physical ? "physical " : "", address);
        popup_text(a, title, space_whatis_popup(a, physical, address));
        if (!physical && space_region_of(a->model.m, address) != UINT32_MAX) {
            a->hw.space.at = address;
            a->hw.space.has_cursor = a->hw.space.placed = true;
            a->hw.space.near = -1;
        }
    }
}

/* ---- vtop: a walk, as crash prints it ---- */

static const char *linux_name(enum paging paging, uint32_t level)
{
    static const char *const names[] = {"", "PTE", "PMD", "PUD", "P4D", "PGD"};
    const uint32_t top = paging == PAGING_I386     ? 2
                         : paging == PAGING_PAE    ? 3
                         : paging == PAGING_4LEVEL ? 4
                                                   : 5;
    return level == top ? "PGD" : names[level <= 5 ? level : 0];
}

void run_vtop(struct app *a, const char *args)
{
    const struct machine *m = a->model.m;
    const int width = m->config.arch == ARCH_X86_64 ? 16 : 8;
    uint64_t va;
    struct walk w;
    struct table_view root;
    struct text_buf b = {0};
    if (!*args) {
        app_message(a, MESSAGE_ERROR, "vtop wants a virtual address.");
        return;
    }
    if (!address_of(a, args, &va)) {
        return;
    }
    if (!hw_walk(m, a->cpu, va, ACCESS_READ, hw_is_user(m, a->cpu, va), &w) ||
        !hw_root_of_cpu(m, a->cpu, &root)) {
        app_message(a, MESSAGE_INFO, "CPU %u walks no page tables now.", a->cpu);
        return;
    }
    const bool mapped = w.fault.kind == FAULT_NONE;
    const uint64_t pa = mapped ? tlb_entry_translate(w.entry, va).v : 0;
    char physical[32];
    snprintf(physical, sizeof physical, mapped ? "%" PRIx64 : "(not mapped)", pa);
    text_add(&b, "%-*s  PHYSICAL\n%-*" PRIx64 "  %s\n\n", width, "VIRTUAL", width, va,
             physical);
    text_add(&b, "PAGE DIRECTORY: %" PRIx64 "\n", root.pa);
    struct table_view t = root;
    for (uint32_t i = 0; i < w.nr_steps; i++) {
        const struct walk_step *s = &w.step[i];
        text_add(&b, "%6s: %" PRIx64 " => %" PRIx64 "\n",
                 linux_name(root.paging, s->level), s->at, s->value);
    }
    if (mapped) {
        const struct walk_step *s = &w.step[w.nr_steps - 1];
        char words[160];
        t.level = s->level;
        entry_flags_words(words, sizeof words, &t, s->value);
        text_add(&b, "  PAGE: %" PRIx64 "  (%u KiB)\n\n  FLAGS: %s\n\n",
                 pa & ~UINT64_C(4095), 1u << (page_shift(tlb_entry_size(w.entry)) - 10),
                 words);
        char title[96];
        char *page = page_details(a, pa >> PAGE_SHIFT, title, sizeof title);
        text_add(&b, "%s\n%s", title, page ? page : "");
        free(page);
    } else {
        char words[160];
        fault_words(words, sizeof words, &w.fault);
        text_add(&b, "\nA read here faults: %s.\n", words);
    }
    popup_text(a, "vtop", b.text);
}

/* ---- apropos ---- */

void run_apropos(struct app *a, const char *args)
{
    struct text_buf b = {0};
    if (!*args) {
        app_message(a, MESSAGE_ERROR, "apropos wants a word: apropos watermark");
        return;
    }
    for (size_t i = 0; i < commands_count(); i++) {
        const struct command_row *r = command_row(i);
        if (text_contains(r->name, args) || text_contains(r->help, args)) {
            text_add(&b, "%s -- %s\n", r->name, r->help);
        }
    }
    const struct api_entry *api;
    for (size_t i = 0; (api = session_api(i)); i++) {
        char call[200];
        if (text_contains(api->name, args) || text_contains(api->help, args)) {
            api_signature(call, sizeof call, api);
            text_add(&b, "%s -- %s\n", call, api->help);
        }
    }
    for (uint16_t i = 1; i < NR_EVENTS; i++) {
        const struct event_info *e = event_info(i);
        char sentence[600];
        event_sentence(sentence, sizeof sentence, i);
        if (text_contains(e->name, args) || text_contains(sentence, args)) {
            text_add(&b, "event %s -- %s\n", e->name, sentence);
        }
    }
    for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
        const struct fn_info *f = fn_info(i);
        if (text_contains(f->name, args) || text_contains(f->sentence, args)) {
            text_add(&b, "function %s -- %s\n", f->name, f->sentence);
        }
    }
    if (!b.text) {
        app_message(a, MESSAGE_INFO, "Nothing is about %s.", args);
        return;
    }
    popup_text(a, args, b.text);
}
