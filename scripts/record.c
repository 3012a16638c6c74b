/* The reader of records: sections, boot messages, the whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_private.h"
#include "stream.h"

/* ---- boot messages ---- */

/* "[mem 0x0000-0x9fbff]": the end is the last byte. */
static bool scan_range(const char *at, uint64_t *start, uint64_t *end)
{
    return sscanf(at, "[mem %" SCNx64 "-%" SCNx64 "]", start, end) == 2 && *end >= *start;
}

static void parse_boot_line(struct parser *p)
{
    struct record *r = p->r;
    char line[1024];
    size_t len = (size_t)(p->end - p->at);
    len = len < sizeof line - 1 ? len : sizeof line - 1;
    memcpy(line, p->at, len);
    line[len] = 0;
    const char *at;
    uint64_t start, end;
    if ((at = strstr(line, "BIOS-e820: "))) {
        const char *range = strchr(at, '[');
        if (range && scan_range(range, &start, &end) && r->nr_memmap < MAX_MEMMAP) {
            r->memmap[r->nr_memmap++] = (struct memmap_entry){
                start, end + 1,
                strstr(range, "] usable") ? MEMMAP_USABLE : MEMMAP_RESERVED};
        }
    } else if ((at = strstr(line, "RAMDISK: ")) && scan_range(at + 9, &start, &end)) {
        r->ramdisk_start = start;
        r->ramdisk_end = end + 1;
    } else if ((at = strstr(line, "Freeing initrd memory: "))) {
        sscanf(at + 23, "%" SCNu64 "K", &r->freed_initrd_kib);
    } else if (strstr(line, "max_arch_pfn = 0x1000000")) {
        r->pae = r->pae || !strstr(line, "max_arch_pfn = 0x10000000");
    } else if ((at = strstr(line, "Kernel command line: ")) &&
               (at = strstr(at, " highmem="))) {
        char value[32];
        char cause[200];
        struct machine_config c;
        config_init(&c, ARCH_I386);
        if (sscanf(at + 9, "%31s", value) == 1 &&
            config_set(&c, "highmem", value, cause, sizeof cause)) {
            r->highmem_bytes = c.highmem_bytes;
        }
    }
}

/* ---- all of it ---- */

static bool is_message(const struct parser *p)
{
    return p->end - p->at > 2 && p->at[0] == '[' &&
           (p->at[1] == ' ' || (p->at[1] >= '0' && p->at[1] <= '9'));
}

static bool parse_text(struct parser *p)
{
    enum { BOOT, PROBE, OTHER } in = BOOT;
    const char *const end = p->r->text + p->r->text_size;
    bool probe_seen = false;
    for (const char *at = p->r->text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        p->line++;
        p->at = at;
        p->end = newline ? newline : end;
        at = newline ? newline + 1 : end;
        while (p->end > p->at && p->end[-1] == '\r') {
            p->end--;
        }
        size_t len = (size_t)(p->end - p->at);
        if (len >= 4 && !memcmp(p->at, "=== ", 4)) {
            in = len == 16 && !memcmp(p->at, "=== /proc/oracle", 16) ? PROBE : OTHER;
            if (in == PROBE && probe_seen) {
                return fail(p, "a second section /proc/oracle: give one record a file");
            }
            probe_seen |= in == PROBE;
            continue;
        }
        if (in == BOOT && !probe_seen && len > 7 && !memcmp(p->at, "oracle ", 7)) {
            in = PROBE; /* the section alone, without its heading */
            probe_seen = true;
        }
        if (in == BOOT) {
            parse_boot_line(p);
        } else if (in == PROBE && len && !is_message(p)) {
            if (!newline) {
                return fail(p, "the file ends in the middle of this line: it is cut off");
            }
            if (!parse_probe_line(p)) {
                return fail(p, "the line is not understood");
            }
        }
    }
    p->r->cut = in == PROBE;
    p->line = p->line ? p->line : 1;
    return probe_seen ||
           fail(p, "this is no record: it has no section '=== /proc/oracle'");
}

static struct record *parse_owned(const char *name, char *text, size_t size, char *err,
                                  size_t err_size)
{
    struct record *r = calloc(1, sizeof *r);
    if (!r) {
        free(text);
        snprintf(err, err_size, "%s: out of memory", name);
        return NULL;
    }
    r->text = text;
    r->text_size = size;
    r->highmem_bytes = UINT64_MAX;
    struct parser p = {.r = r, .name = name, .err = err, .err_size = err_size};
    if (!parse_text(&p) || !check_states(&p)) {
        record_free(r);
        return NULL;
    }
    return r;
}

/* Takes the stream. */
static struct record *parse_stream(const char *name, struct stream *stream, char *err,
                                   size_t err_size)
{
    size_t size;
    const char *cause = "out of memory";
    char *text = stream ? stream_read_all(stream, RECORD_MAX_TEXT, &size, &cause) : NULL;
    stream_close(stream);
    if (!text) {
        snprintf(err, err_size, "%s: %s", name, cause);
        return NULL;
    }
    return parse_owned(name, text, size, err, err_size);
}

struct record *record_parse(const char *name, const void *data, size_t size, char *err,
                            size_t err_size)
{
    return parse_stream(name, stream_of_bytes(data, size), err, err_size);
}

struct record *record_open(const char *path, char *err, size_t err_size)
{
    struct stream *stream = stream_open(path, err, err_size);
    return stream ? parse_stream(path, stream, err, err_size) : NULL;
}

void record_free(struct record *r)
{
    if (r) {
        free(r->text);
        free(r->items);
        free(r->states);
        free(r->seqs);
        free(r->lists);
        free(r->numbers);
        free(r->types);
        free(r->vms);
        free(r->objects);
        free(r->wides);
        free(r);
    }
}

const char *record_section(const struct record *r, const char *path, size_t *size)
{
    const char *end = r->text + r->text_size;
    const size_t len = strlen(path);
    const char *found = NULL;
    for (const char *at = r->text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        if (stop - at >= 4 && !memcmp(at, "=== ", 4)) {
            if (found) {
                *size = (size_t)(at - found);
                return found;
            }
            if ((size_t)(stop - at) == 4 + len && !memcmp(at + 4, path, len)) {
                found = newline ? newline + 1 : end;
            }
        }
        at = newline ? newline + 1 : end;
    }
    if (found) {
        *size = (size_t)(end - found);
    }
    return found;
}

enum zone_type record_zone_index(const struct record *r, uint32_t i)
{
    static const enum zone_type narrow[] = {ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM,
                                            ZONE_MOVABLE};
    static const enum zone_type wide[] = {ZONE_DMA, ZONE_DMA32, ZONE_NORMAL,
                                          ZONE_MOVABLE};
    return i >= RECORD_ZONES ? ZONE_MOVABLE : r->ptrs == 64 ? wide[i] : narrow[i];
}
