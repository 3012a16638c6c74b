/* Unpacking with liblzma and zlib into a buffer that grows up to a bound.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "unpack.h"

#include <lzma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "host.h"

struct output {
    char *bytes;
    size_t room, size, most;
};

enum { FIRST_ROOM = 1 << 16, LZMA_MEMORY = 256 << 20 };

/* Room for more bytes; false: over the bound, or no memory (then bytes is NULL). */
static bool grow(struct output *o)
{
    if (o->room >= o->most) {
        return false;
    }
    size_t room = o->room ? o->room * 2 : FIRST_ROOM;
    room = room < o->most ? room : o->most;
    char *bigger = realloc(o->bytes, room + 1);
    if (!bigger) {
        free(o->bytes);
        o->bytes = NULL;
        return false;
    }
    o->bytes = bigger;
    o->room = room;
    return true;
}

static const char *grow_error(const struct output *o)
{
    return o->bytes ? "unpacks to more than the most that is read" : "out of memory";
}

static const char *unpack_xz(struct output *o, const uint8_t *data, size_t size)
{
    lzma_stream s = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&s, LZMA_MEMORY, LZMA_CONCATENATED) != LZMA_OK) {
        return "out of memory";
    }
    const char *error = NULL;
    s.next_in = data;
    s.avail_in = size;
    lzma_ret ret = LZMA_OK;
    while (!error && ret == LZMA_OK) {
        if (o->size == o->room && !grow(o)) {
            error = grow_error(o);
            break;
        }
        s.next_out = (uint8_t *)o->bytes + o->size;
        s.avail_out = o->room - o->size;
        ret = lzma_code(&s, LZMA_FINISH);
        o->size = o->room - s.avail_out;
    }
    lzma_end(&s);
    if (error || ret == LZMA_STREAM_END) {
        return error;
    }
    return ret == LZMA_MEMLIMIT_ERROR ? "needs more memory to unpack than is given"
           : ret == LZMA_BUF_ERROR
               ? "is cut off: the .xz data ends early; copy it again"
               : "is damaged: the .xz data is not whole; copy it again";
}

static const char *unpack_gz(struct output *o, const uint8_t *data, size_t size)
{
    enum { GZIP_ONLY = 16 };
    const size_t most_in = (size_t)1 << 30;
    z_stream s = {.next_in = (Bytef *)(uintptr_t)data};
    if (inflateInit2(&s, MAX_WBITS + GZIP_ONLY) != Z_OK) {
        return "out of memory";
    }
    const char *error = NULL;
    size_t left = size;
    int ret = Z_OK;
    while (true) {
        if (!s.avail_in) {
            s.avail_in = (uInt)(left < most_in ? left : most_in);
            left -= s.avail_in;
        }
        if (o->size == o->room && !grow(o)) {
            error = grow_error(o);
            break;
        }
        size_t room = o->room - o->size;
        uInt give = (uInt)(room < most_in ? room : most_in);
        s.next_out = (Bytef *)o->bytes + o->size;
        s.avail_out = give;
        ret = inflate(&s, Z_NO_FLUSH);
        o->size += give - s.avail_out;
        if (ret == Z_STREAM_END && (s.avail_in || left)) {
            ret = inflateReset(&s); /* another member follows */
        } else if (ret == Z_BUF_ERROR && s.avail_out == 0) {
            ret = Z_OK;
        }
        if (ret != Z_OK) {
            break;
        }
    }
    inflateEnd(&s);
    if (error || ret == Z_STREAM_END) {
        return error;
    }
    return ret == Z_BUF_ERROR   ? "is cut off: the .gz data ends early; copy it again"
           : ret == Z_MEM_ERROR ? "out of memory"
                                : "is damaged: the .gz data is not whole; copy it again";
}

char *unpack(const void *data, size_t size, size_t max_bytes, size_t *out_size, char *err,
             size_t err_size)
{
    static const uint8_t xz_magic[] = {0xfd, '7', 'z', 'X', 'Z', 0},
                         gz_magic[] = {0x1f, 0x8b};
    struct output o = {.most = max_bytes};
    const char *error = NULL;
    if (size >= sizeof xz_magic && !memcmp(data, xz_magic, sizeof xz_magic)) {
        error = unpack_xz(&o, data, size);
    } else if (size >= sizeof gz_magic && !memcmp(data, gz_magic, sizeof gz_magic)) {
        error = unpack_gz(&o, data, size);
    } else if (size > max_bytes) {
        error = "is larger than the most that is read";
    } else if (!(o.bytes = malloc(size + 1))) {
        error = "out of memory";
    } else {
        if (size) {
            memcpy(o.bytes, data, size);
        }
        o.size = size;
    }
    if (error) {
        snprintf(err, err_size, "%s", error);
        free(o.bytes);
        return NULL;
    }
    o.bytes[o.size] = 0;
    *out_size = o.size;
    return o.bytes;
}

char *unpack_file(const char *path, size_t max_bytes, size_t *out_size, char *err,
                  size_t err_size)
{
    size_t size;
    char *packed = host_read_file(path, max_bytes, &size, err, err_size);
    if (!packed) {
        return NULL;
    }
    char cause[200];
    char *text = unpack(packed, size, max_bytes, out_size, cause, sizeof cause);
    free(packed);
    if (!text) {
        snprintf(err, err_size, "%s: %s", path, cause);
    }
    return text;
}
