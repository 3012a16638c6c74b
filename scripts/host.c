/* Memory and files from a POSIX host.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *reserve(size_t size_bytes)
{
    void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void release(void *base, size_t size_bytes) { munmap(base, size_bytes); }

const struct arena_host host_memory = {.reserve = reserve, .release = release};

/* What the system says of a file, and what to do about it; keeps errno's own words. */
static void explain(const char *path, char *err, size_t err_size)
{
    int why = errno;
    const char *remedy = why == ENOENT   ? " (check its path and name)"
                         : why == EISDIR ? " (name a file in it)"
                         : why == EACCES ? " (check its permissions)"
                                         : "";
    snprintf(err, err_size, "%s: %s%s", path, strerror(why), remedy);
}

char *host_read_file(const char *path, size_t max_bytes, size_t *size, char *err,
                     size_t err_size)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        explain(path, err, err_size);
        return NULL;
    }
    size_t room = 1 << 16, len = 0;
    char *text = malloc(room + 1);
    while (text) {
        len += fread(text + len, 1, room - len, f);
        if (len < room || len > max_bytes) {
            break;
        }
        room *= 2;
        char *bigger = realloc(text, room + 1);
        if (!bigger) {
            free(text);
        }
        text = bigger;
    }
    if (!text) {
        snprintf(err, err_size, "%s: out of memory", path);
    } else if (ferror(f)) {
        explain(path, err, err_size);
        free(text);
        text = NULL;
    } else if (len > max_bytes) {
        snprintf(err, err_size, "%s: larger than %zu bytes, the most that is read", path,
                 max_bytes);
        free(text);
        text = NULL;
    } else {
        text[len] = 0;
        if (size) {
            *size = len;
        }
    }
    fclose(f);
    return text;
}

/* The folder's own entry is durable only when the folder is written out too. */
static void sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    const int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

bool host_write_file(const char *path, const void *bytes, size_t size, char *err,
                     size_t err_size)
{
    char beside[4096];
    if ((size_t)snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid()) >=
        sizeof beside) {
        snprintf(err, err_size, "%s: the name is too long", path);
        return false;
    }
    const int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool good = fd >= 0;
    for (size_t done = 0; good && done < size;) {
        const ssize_t n = write(fd, (const char *)bytes + done, size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        good = n > 0;
        done += n > 0 ? (size_t)n : 0;
    }
    good = good && fsync(fd) == 0;
    if (!good) {
        explain(path, err, err_size);
    }
    if (fd >= 0 && close(fd) && good) {
        explain(path, err, err_size);
        good = false;
    }
    if (good && rename(beside, path)) {
        explain(path, err, err_size);
        good = false;
    }
    if (good) {
        sync_folder(path);
    } else if (fd >= 0) {
        unlink(beside);
    }
    return good;
}
