/* Any bytes as a trace, in both ways of parsing: whole, and cut into pieces; both must
 * say the same. What parses runs on a tiny machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "trace_reader.h"
#include "trace_run.h"

enum { MAX = 1 << 16, REFS = 4096 };

static size_t parse_whole(const uint8_t *data, size_t size, struct trace_parser *p,
                          struct ref *refs)
{
    static char buf[MAX + TRACE_PAD];
    memcpy(buf, data, size);
    const char *at = buf;
    return trace_parse(p, &at, buf + size, true, refs, REFS);
}

/* In pieces of `step` bytes. */
static size_t parse_pieces(const uint8_t *data, size_t size, size_t step,
                           struct trace_parser *p, struct ref *refs)
{
    static char buf[MAX + TRACE_PAD];
    const char *at = buf;
    size_t n = 0, in = 0;
    for (;;) {
        size_t more = size - in < step ? size - in : step;
        memcpy(buf + in, data + in, more);
        in += more;
        n += trace_parse(p, &at, buf + in, in == size, refs + n, REFS - n);
        if (in == size || p->error || n == REFS) {
            return n;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ref whole[REFS], pieces[REFS];
    struct trace_parser p = {0}, q = {0};
    size = size < MAX ? size : MAX;
    size_t n = parse_whole(data, size, &p, whole);
    size_t step = size ? 1 + data[0] % 97u : 1;
    size_t k = parse_pieces(data, size, step, &q, pieces);
    if (n != k || memcmp(whole, pieces, n * sizeof *whole) || p.error != q.error ||
        (p.error && p.lines != q.lines)) {
        abort();
    }
    struct trace_setup t;
    char err[256];
    trace_setup_init(&t);
    trace_setup_set(&t, "l1d", "128,2,32,plru", err, sizeof err);
    trace_setup_set(&t, "l1i", "96,3,32,fifo", err, sizeof err);
    trace_setup_set(&t, "l2", "1K,4,64,random", err, sizeof err);
    trace_setup_set(&t, "dtlb", "2,2", err, sizeof err);
    trace_setup_set(&t, "stlb", "6,3", err, sizeof err);
    trace_setup_set(&t, "translation", size & 1 ? "first-touch" : "identity", err,
                    sizeof err);
    trace_setup_set(&t, "tags", size & 2 ? "vivt" : "pipt", err, sizeof err);
    struct trace_run *run = trace_run_create(&t, err, sizeof err);
    if (!run || !trace_run_refs(run, whole, n, err, sizeof err) ||
        memsys_check(trace_run_memsys(run))) {
        abort();
    }
    trace_run_destroy(run);
    return 0;
}
