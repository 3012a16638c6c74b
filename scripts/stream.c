/* Files through zlib, liblzma and libzstd: see stream.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#if !defined _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* read, lseek, poll, fileno */
#endif
#include "stream.h"

#include <errno.h>
#include <lzma.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    IN_SIZE = 64 * 1024,
    LONGEST_MAGIC = 6, /* of a packed file's first bytes */
    FIRST_ROOM = 1 << 16,
    MOST_AT_ONCE = 1 << 30, /* zlib counts in 32 bits */
    XZ_MEMORY = 256 << 20,
    ZSTD_WINDOW_LOG = 27 /* 128 MiB */
};

enum packing { PLAIN, GZIP, XZ, ZSTANDARD };

struct stream {
    FILE *file; /* NULL: all of it is in[] */
    bool is_stdin;
    enum packing packing;
    uint64_t position, total;
    bool file_ended, ended;
    bool inside; /* in the middle of a compressed part */
    const char *error;
    z_stream gz;
    lzma_stream xz;
    ZSTD_DStream *zst;
    const unsigned char *in;
    size_t in_at, in_end;
    unsigned char buffer[];
};

/* What of the file is there, at most size bytes: a pipe's first lines are not kept
 * waiting for its last. 0: it has ended, or is in error. */
static size_t read_some(struct stream *s, void *to, size_t size)
{
    ssize_t n;
    do {
        n = read(fileno(s->file), to, size);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        s->file_ended = true;
        if (n < 0) {
            s->error = "it cannot be read: the device or the connection reports an error";
        }
        return 0;
    }
    s->position += (size_t)n;
    return (size_t)n;
}

static void refill(struct stream *s)
{
    if (s->in_at == s->in_end && !s->file_ended) {
        s->in_at = 0;
        s->in_end = read_some(s, s->buffer, IN_SIZE);
    }
}

static bool begins(const struct stream *s, const char *magic, size_t size)
{
    return s->in_end >= size && !memcmp(s->in, magic, size);
}

/* Prepare the decompressor that the first bytes ask for. */
static bool choose(struct stream *s)
{
    refill(s);
    while (s->in_end < LONGEST_MAGIC && !s->file_ended) { /* a pipe may begin slowly */
        s->in_end += read_some(s, s->buffer + s->in_end, IN_SIZE - s->in_end);
    }
    if (begins(s, "\x1f\x8b", 2)) {
        s->packing = GZIP;
        return inflateInit2(&s->gz, 15 + 16) == Z_OK;
    }
    if (begins(s,
               "\xfd"
               "7zXZ",
               6)) {
        s->packing = XZ;
        s->xz = (lzma_stream)LZMA_STREAM_INIT;
        return lzma_stream_decoder(&s->xz, XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK;
    }
    if (begins(s, "\x28\xb5\x2f\xfd", 4)) {
        s->packing = ZSTANDARD;
        s->zst = ZSTD_createDStream();
        return s->zst && !ZSTD_isError(ZSTD_DCtx_setParameter(s->zst, ZSTD_d_windowLogMax,
                                                              ZSTD_WINDOW_LOG));
    }
    s->packing = PLAIN;
    return true;
}

struct stream *stream_open(const char *path, char *err, size_t err_size)
{
    struct stream *s = calloc(1, sizeof *s + IN_SIZE);
    if (!s) {
        snprintf(err, err_size, "%s: out of memory", path);
        return NULL;
    }
    s->in = s->buffer;
    s->is_stdin = !strcmp(path, "-");
    s->file = s->is_stdin ? stdin : fopen(path, "rb");
    if (!s->file) {
        snprintf(err, err_size, "%s cannot be opened: %s", path, strerror(errno));
        free(s);
        return NULL;
    }
    if (!s->is_stdin) { /* only the descriptor is used: stdio may read ahead */
        const off_t size = lseek(fileno(s->file), 0, SEEK_END);
        s->total = size > 0 ? (uint64_t)size : 0;
        lseek(fileno(s->file), 0, SEEK_SET);
    }
    if (!choose(s)) {
        snprintf(err, err_size, "%s: out of memory for its decompression", path);
        stream_close(s);
        return NULL;
    }
    if (s->error) {
        snprintf(err, err_size, "%s cannot be read%s", path,
                 errno == EISDIR ? ": it is a directory" : "");
        stream_close(s);
        return NULL;
    }
    return s;
}

struct stream *stream_of_bytes(const void *bytes, size_t size)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->in = bytes;
    s->in_end = s->position = s->total = size;
    s->file_ended = true;
    if (!choose(s)) {
        stream_close(s);
        return NULL;
    }
    return s;
}

void stream_close(struct stream *s)
{
    if (!s) {
        return;
    }
    if (s->packing == GZIP) {
        inflateEnd(&s->gz);
    } else if (s->packing == XZ) {
        lzma_end(&s->xz);
    }
    ZSTD_freeDStream(s->zst);
    if (s->file && !s->is_stdin) {
        fclose(s->file);
    }
    free(s);
}

static size_t read_plain(struct stream *s, void *to, size_t size)
{
    size_t n = s->in_end - s->in_at;
    if (n) { /* what was read to look at the first bytes */
        n = n < size ? n : size;
        memcpy(to, s->in + s->in_at, n);
        s->in_at += n;
        return n;
    }
    return s->file_ended ? 0 : read_some(s, to, size);
}

/* Each of these takes what it can of in[] and answers how many bytes it made; inside
 * tells whether more must come. */
static size_t read_gzip(struct stream *s, void *to, size_t size)
{
    if (!s->inside) {
        inflateReset(&s->gz);
    }
    const size_t left = s->in_end - s->in_at;
    const uInt given = left < MOST_AT_ONCE ? (uInt)left : MOST_AT_ONCE;
    s->gz.next_in = (Bytef *)(uintptr_t)(s->in + s->in_at);
    s->gz.avail_in = given;
    s->gz.next_out = to;
    s->gz.avail_out = (uInt)size;
    int rc = inflate(&s->gz, Z_NO_FLUSH);
    s->in_at += given - s->gz.avail_in;
    s->inside = rc != Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
        s->error = rc == Z_MEM_ERROR ? "out of memory for its decompression"
                                     : "its gzip data is damaged: copy it again";
    }
    return size - s->gz.avail_out;
}

static size_t read_xz(struct stream *s, void *to, size_t size)
{
    s->xz.next_in = s->in + s->in_at;
    s->xz.avail_in = s->in_end - s->in_at;
    s->xz.next_out = to;
    s->xz.avail_out = size;
    lzma_ret rc = lzma_code(&s->xz, s->file_ended ? LZMA_FINISH : LZMA_RUN);
    s->in_at = s->in_end - s->xz.avail_in;
    s->inside = rc != LZMA_STREAM_END;
    if (rc == LZMA_STREAM_END) {
        s->ended = true;
    } else if (rc != LZMA_OK && rc != LZMA_BUF_ERROR) {
        s->error = rc == LZMA_MEM_ERROR ? "out of memory for its decompression"
                   : rc == LZMA_MEMLIMIT_ERROR
                       ? "its decompression needs more than 256 MiB: pack it less hard"
                       : "its xz data is damaged: copy it again";
    }
    return size - s->xz.avail_out;
}

static size_t read_zstd(struct stream *s, void *to, size_t size)
{
    ZSTD_inBuffer in = {s->in, s->in_end, s->in_at};
    ZSTD_outBuffer out = {to, size, 0};
    size_t rc = ZSTD_decompressStream(s->zst, &out, &in);
    s->in_at = in.pos;
    if (ZSTD_isError(rc)) {
        s->error = "its zstd data is damaged, or wants a window of more than 128 MiB";
        return 0;
    }
    s->inside = rc != 0;
    return out.pos;
}

size_t stream_read(struct stream *s, void *to, size_t size)
{
    size = size < MOST_AT_ONCE ? size : MOST_AT_ONCE;
    if (s->packing == PLAIN) {
        return s->error ? 0 : read_plain(s, to, size);
    }
    while (!s->error && !s->ended && size) {
        refill(s);
        bool dry = s->in_at == s->in_end;
        if (s->error || (dry && !s->inside)) {
            break;
        }
        size_t n = s->packing == GZIP ? read_gzip(s, to, size)
                   : s->packing == XZ ? read_xz(s, to, size)
                                      : read_zstd(s, to, size);
        if (n) {
            return n;
        }
        if (dry && s->file_ended && s->inside && !s->error) {
            s->error = "it ends in the middle of its compressed data: copy it again";
        }
    }
    return 0;
}

bool stream_ready(const struct stream *s, int milliseconds)
{
    if (s->in_at < s->in_end || s->file_ended || s->error) {
        return true;
    }
    struct pollfd p = {.fd = fileno(s->file), .events = POLLIN};
    return poll(&p, 1, milliseconds) != 0;
}

const char *stream_error(const struct stream *s) { return s->error; }
uint64_t stream_position(const struct stream *s)
{
    return s->position - (s->in_end - s->in_at);
}
uint64_t stream_total(const struct stream *s) { return s->total; }

char *stream_read_all(struct stream *s, size_t max_bytes, size_t *size,
                      const char **error)
{
    char *bytes = NULL;
    size_t room = 0, n;
    *size = 0;
    *error = NULL;
    do {
        if (*size == room && room <= max_bytes) { /* one more than may come, and the 0 */
            room = room ? room * 2 : FIRST_ROOM;
            room = room <= max_bytes ? room : max_bytes + 1;
            char *bigger = realloc(bytes, room + 1);
            if (!bigger) {
                *error = "out of memory";
                break;
            }
            bytes = bigger;
        }
        n = stream_read(s, bytes + *size, room - *size);
        *size += n;
    } while (n && *size <= max_bytes);
    if (!*error) {
        *error = *size > max_bytes ? "it unpacks to more than the most that is read"
                                   : stream_error(s);
    }
    if (*error) {
        free(bytes);
        return NULL;
    }
    bytes[*size] = 0;
    return bytes;
}
