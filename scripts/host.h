/* The host of the pure core: memory reserved from the operating system, files read whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_HOST_H
#define SCRIPTS_HOST_H

#include "arena.h"

/* Reserves address space with mmap; memory is taken when touched. */
extern const struct arena_host host_memory;

/* Read a file whole; NULL with "cause: remedy" in err. The text has a 0 behind it;
 * *size is without. free() it. Refuses files over max_bytes. */
char *host_read_file(const char *path, size_t max_bytes, size_t *size, char *err,
                     size_t err_size);

/* Write a file so that path is the old one or the new one, whole, whatever happens:
 * beside it first, then in its place. False: err says why not. */
bool host_write_file(const char *path, const void *bytes, size_t size, char *err,
                     size_t err_size);

#endif
