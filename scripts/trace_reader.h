/* Memory-reference traces as text: valgrind's lackey format and Dinero's din.
 *
 *   lackey   "I  04001000,3"   " L 1ffeffe7e8,8"   " S ..."   " M ..."
 *            address hexadecimal, size decimal, at least 1; lines of valgrind's own
 *            ("==1234== ...", "--1234-- ...") are passed over
 *   din      "LABEL ADDRESS [whatever]"
 *            0 or 3 a read, 1 a write, 2 an instruction fetch; address hexadecimal,
 *            a word of four bytes at the address rounded down to a multiple of four, as
 *            Dinero takes it
 *   xdin     "r|w|i|m ADDRESS SIZE [whatever]"
 *            address and size hexadecimal; m reads, as in Dinero
 *
 * The first line decides which. Everything else is an error with its line's number;
 * nothing is skipped, nothing is guessed. A line's end may be "\n" or "\r\n", and may be
 * missing at the end of the file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_TRACE_READER_H
#define SCRIPTS_TRACE_READER_H

#include "memsys.h"

enum trace_format { TRACE_UNKNOWN, TRACE_LACKEY, TRACE_DIN, TRACE_XDIN };

enum {
    TRACE_PAD = 32,           /* bytes that may be looked at behind the end of a buffer */
    TRACE_MAX_LINE = 4096,    /* bytes; longer ones are malformed */
    TRACE_MAX_SIZE = 1 << 16, /* bytes of one reference */
    TRACE_TEXT = 48
};

/* The parser alone, over memory. */
struct trace_parser {
    enum trace_format format;
    uint64_t lines;        /* complete ones so far */
    const char *error;     /* what is wrong with line number lines + 1 */
    char text[TRACE_TEXT]; /* that line's beginning, printable */
};

/* Parse complete lines from *at on, at most max references; *at moves behind what was
 * parsed. last: nothing comes after end, a line without an end is complete. Answers how
 * many references it stored; TRACE_PAD bytes behind end can be read. */
size_t trace_parse(struct trace_parser *p, const char **at, const char *end, bool last,
                   struct ref *to, size_t max);

/* A file. */
struct trace_reader;
struct trace_reader *trace_open(const char *path, char *err, size_t err_size);
void trace_close(struct trace_reader *r);
/* The next references, at most max; 0: the end, or an error (err, "line 17: ..."; empty
 * at the end). */
size_t trace_read(struct trace_reader *r, struct ref *to, size_t max, char *err,
                  size_t err_size);
/* Will trace_read find a line, or an end, without waiting longer than this for a pipe? */
bool trace_ready(const struct trace_reader *r, int milliseconds);
/* For a progress display: bytes of the file read, and its size (0: unknown). */
uint64_t trace_position(const struct trace_reader *r);
uint64_t trace_total(const struct trace_reader *r);

/* The generated trace: reference i of syn(N), for i = 0, 1, ... */
struct syn {
    uint64_t x, i, n;
};
struct syn syn_begin(uint64_t n);
size_t syn_read(struct syn *s, struct ref *to, size_t max);

#endif
