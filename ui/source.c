/* The real kernel's source.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "source.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "describe.h"
#include "folders.h"
#include "host.h"
#include "stream.h"

enum { MAX_FILES = 64, MAX_BYTES = 4 << 20, TAR_BLOCK = 512 };

static const char tar_file[] = "/usr/src/linux-source-6.1.tar.xz";

struct file {
    char name[128];
    bool there;
    char *text;
    const char **line;
    uint32_t nr_lines;
};

static struct {
    char given[3000]; /* --kernel-src */
    char tree[3000];
    bool looked, found;
    struct file files[MAX_FILES];
    int nr_files;
} source;

static void forget_files(void)
{
    for (int i = 0; i < source.nr_files; i++) {
        free(source.files[i].text);
        free((void *)source.files[i].line);
    }
    memset(source.files, 0, sizeof source.files);
    source.nr_files = 0;
    source.looked = false;
}

void source_set_tree(const char *dir)
{
    snprintf(source.given, sizeof source.given, "%s", dir ? dir : "");
    forget_files();
}

/* ---- where it is ---- */

static bool cache_folder(char *buf, size_t size)
{
    return user_path(buf, size, FOLDER_CACHE, "linux-6.1");
}

static bool is_tree(const char *dir)
{
    char path[3200];
    snprintf(path, sizeof path, "%s/mm/page_alloc.c", dir);
    return *dir && access(path, R_OK) == 0;
}

const char *source_tree(const char **tar)
{
    static const char *const usual[] = {"/usr/src/linux-source-6.1", "/usr/src/linux-6.1",
                                        "/usr/src/linux"};
    char cache[3000];
    if (!source.looked) {
        source.looked = true;
        const char *dir = source.given;
        if (!*dir && cache_folder(cache, sizeof cache) && is_tree(cache)) {
            dir = cache;
        }
        for (size_t i = 0; !*dir && i < sizeof usual / sizeof usual[0]; i++) {
            dir = is_tree(usual[i]) ? usual[i] : "";
        }
        source.found = is_tree(dir);
        snprintf(source.tree, sizeof source.tree, "%s", dir);
    }
    if (tar) {
        *tar = !source.found && access(tar_file, R_OK) == 0 ? tar_file : NULL;
    }
    return source.found ? source.tree : NULL;
}

/* ---- files ---- */

static bool split_lines(struct file *f)
{
    uint32_t n = 1;
    for (const char *c = f->text; *c; c++) {
        n += *c == '\n';
    }
    f->line = malloc(n * sizeof *f->line);
    if (!f->line) {
        return false;
    }
    for (char *at = f->text; *at;) {
        f->line[f->nr_lines++] = at;
        at += strcspn(at, "\n");
        if (*at) {
            *at++ = 0;
        }
    }
    return true;
}

static const struct file *file_of(const char *name)
{
    char path[3300], err[300];
    for (int i = 0; i < source.nr_files; i++) {
        if (!strcmp(source.files[i].name, name)) {
            return source.files[i].there ? &source.files[i] : NULL;
        }
    }
    if (source.nr_files == MAX_FILES || strlen(name) >= sizeof source.files[0].name) {
        return NULL;
    }
    struct file *f = &source.files[source.nr_files++];
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s", source.tree, name);
    f->text = host_read_file(path, MAX_BYTES, NULL, err, sizeof err);
    f->there = f->text && split_lines(f);
    return f->there ? f : NULL;
}

/* ---- functions ---- */

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Does the line, outside of any function, name it before a parenthesis? Answers what
 * follows the name, or NULL. */
static const char *names(const char *line, const char *name, size_t len)
{
    if (!*line || isspace((unsigned char)*line) || strchr("#*/{}", *line)) {
        return NULL;
    }
    for (const char *at = strstr(line, name); at; at = strstr(at + 1, name)) {
        const char *behind = at + len + strspn(at + len, " \t");
        if ((at == line || !is_word(at[-1])) && *behind == '(') {
            return behind;
        }
    }
    return NULL;
}

/* Is this a definition rather than a declaration: a brace before the next semicolon? */
static bool is_defined(const struct file *f, uint32_t line, const char *at)
{
    enum { MOST_LINES = 30 };
    for (uint32_t i = line; i < f->nr_lines && i < line + MOST_LINES; i++) {
        for (const char *c = i == line ? at : f->line[i]; *c; c++) {
            if (*c == ';' || *c == '{') {
                return *c == '{';
            }
        }
    }
    return false;
}

bool source_function(const char *name_of_file, const char *name, struct source_text *out)
{
    const struct file *f = source_tree(NULL) ? file_of(name_of_file) : NULL;
    const size_t len = strlen(name);
    for (uint32_t i = 0; f && i < f->nr_lines; i++) {
        const char *at = names(f->line[i], name, len);
        if (!at || !is_defined(f, i, at)) {
            continue;
        }
        uint32_t first = i, last = i;
        /* the type may stand on the line above */
        if (first && *f->line[first - 1] &&
            !isspace((unsigned char)*f->line[first - 1]) &&
            !strchr("#*/{}", *f->line[first - 1]) &&
            !strpbrk(f->line[first - 1], ";}:")) {
            first--;
        }
        while (last + 1 < f->nr_lines && *f->line[last] != '}') {
            last++;
        }
        *out = (struct source_text){f->line, f->nr_lines, first + 1, last + 1};
        return true;
    }
    return false;
}

/* ---- a tar file ---- */

static bool read_all(struct stream *s, unsigned char *to, size_t n)
{
    for (size_t got; n > 0; to += got, n -= got) {
        got = stream_read(s, to, n);
        if (!got) {
            return false;
        }
    }
    return true;
}

/* The path without its first folder, if a simulated function lies in it; NULL: not
 * wanted. */
static const char *wanted(const char *path)
{
    const char *slash = strchr(path, '/');
    for (uint16_t i = 1; slash && i < NR_FUNCTIONS; i++) {
        if (!strcmp(fn_info(i)->file, slash + 1)) {
            return slash + 1;
        }
    }
    return NULL;
}

static bool keep(const char *folder, const char *name, const void *bytes, size_t size,
                 char *err, size_t err_size)
{
    char path[3300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    make_folders(path);
    return host_write_file(path, bytes, size, err, err_size);
}

static bool unpack_stream(struct stream *s, const char *tar, const char *folder,
                          bool (*interrupted)(void *ctx), void *ctx, char *err,
                          size_t err_size)
{
    unsigned char head[TAR_BLOCK];
    unsigned char *bytes = malloc(MAX_BYTES + TAR_BLOCK);
    bool good = bytes != NULL;
    uint32_t kept = 0;
    if (!good) {
        snprintf(err, err_size, "out of memory");
    }
    while (good) {
        good = read_all(s, head, TAR_BLOCK);
        if (!good || !head[0]) { /* a block of zeros ends a tar file */
            break;
        }
        char path[400], number[13] = "";
        const bool prefix = !memcmp(head + 257, "ustar", 5) && head[345];
        snprintf(path, sizeof path, "%.155s%s%.100s",
                 prefix ? (const char *)head + 345 : "", prefix ? "/" : "",
                 (const char *)head);
        memcpy(number, head + 124, 12);
        uint64_t size = strtoull(number, NULL, 8), rest = (size + 511) / 512 * 512;
        const char *name = head[156] == '0' || !head[156] ? wanted(path) : NULL;
        if (name && size <= MAX_BYTES) {
            good = read_all(s, bytes, (size_t)rest) &&
                   keep(folder, name, bytes, (size_t)size, err, err_size);
            kept += good;
            continue;
        }
        for (uint64_t n; good && rest > 0; rest -= n) {
            n = rest < MAX_BYTES ? rest : MAX_BYTES;
            good = read_all(s, bytes, (size_t)n);
        }
        if (good && interrupted && interrupted(ctx)) {
            snprintf(err, err_size, "stopped");
            good = false;
        }
    }
    free(bytes);
    if (stream_error(s)) {
        snprintf(err, err_size, "%s: %s", tar, stream_error(s));
        good = false;
    }
    if (good && !kept) {
        snprintf(err, err_size, "%s: there is no kernel in it", tar);
        good = false;
    }
    return good;
}

bool source_unpack(const char *tar, bool (*interrupted)(void *ctx), void *ctx, char *err,
                   size_t err_size)
{
    char folder[3000];
    tar = tar ? tar : tar_file;
    snprintf(err, err_size, "%s", "");
    if (!cache_folder(folder, sizeof folder)) {
        snprintf(err, err_size, "neither HOME nor XDG_CACHE_HOME says where to keep it");
        return false;
    }
    struct stream *s = stream_open(tar, err, err_size);
    const bool good = s && unpack_stream(s, tar, folder, interrupted, ctx, err, err_size);
    if (s && !good && !*err) {
        snprintf(err, err_size, "%s is cut off", tar);
    }
    stream_close(s);
    forget_files();
    return good;
}
