/* A file as a stream of bytes, unpacked on the way: plain, .gz, .xz, .zst, told apart
 * by their first bytes, from a file or a pipe. Several compressed parts one after the
 * other are one stream.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_STREAM_H
#define SCRIPTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* NULL: err says why. "-" is the standard input. */
struct stream *stream_open(const char *path, char *err, size_t err_size);
/* The same of bytes in memory, which stay where they are while it is open; NULL: out of
 * memory. */
struct stream *stream_of_bytes(const void *bytes, size_t size);
void stream_close(struct stream *s);

/* The next bytes, at most size, as soon as there are some; 0 at the end or when something
 * is wrong, see stream_error. */
size_t stream_read(struct stream *s, void *to, size_t size);
/* Is there something to read, or the end, without waiting longer than this? */
bool stream_ready(const struct stream *s, int milliseconds);
/* NULL, or what is wrong ("the file ends in the middle of its compressed data"). */
const char *stream_error(const struct stream *s);

/* All that is left, with a 0 behind it; free() it. NULL: *error says why. Never gives
 * more than max_bytes: a packed file can be small and its content huge. */
char *stream_read_all(struct stream *s, size_t max_bytes, size_t *size,
                      const char **error);

/* How far it is read, in bytes of the file; total 0: not known (a pipe). */
uint64_t stream_position(const struct stream *s);
uint64_t stream_total(const struct stream *s);

#endif
