/* The processor's options as text: caches and TLBs of any geometry, what the CPU can, and
 * what its stages cost. A part of the table of engine/config.c; the parsers of geometries
 * serve memory traces too.
 *
 * A geometry is words with commas or colons between ("32K,8,64,lru"), or names and values
 * ("size:32K,ways:8"), where what is not named stays as it is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_CONFIG_HW_H
#define ENGINE_CONFIG_HW_H

#include "machine.h"

/* Set one option. False: err says what is wrong and what would be right. hw_option()
 * knows the name. */
bool hw_option_set(struct hardware_config *c, const char *name, const char *value,
                   char *err, size_t err_size);
/* Its value as hw_option_set understands it; length as snprintf. */
int hw_option_get(char *buf, size_t size, const struct hardware_config *c,
                  const char *name);
/* The table; NULL past the end. */
const struct config_option *hw_option(size_t i);
bool hw_option_known(const char *name);

/* What c has from the old architecture's defaults it gets from the new one's. */
void hw_config_change_arch(struct hardware_config *c, enum arch from, enum arch to);
/* Can such a processor exist, in a machine of this architecture? */
bool hw_config_check(const struct machine_config *c, char *err, size_t err_size);

/* l1i, l1d, l2, itlb, dtlb, stlb: the first rows of the table, which memory traces have
 * too. */
enum { NR_GEOMETRY_OPTIONS = 6 };
bool geometry_option_known(const char *name);
bool geometry_option_set(struct memsys_config *c, const char *name, const char *value,
                         char *err, size_t err_size);
/* One geometry. name is for messages. */
bool cache_geometry_set(struct cache_config *c, const char *name, const char *value,
                        char *err, size_t err_size);
bool tlb_geometry_set(struct tlb_config *c, const char *name, const char *value,
                      char *err, size_t err_size);
/* "32K,8,64,lru", "none"; "64,4,lru" */
int cache_geometry_get(char *buf, size_t size, const struct cache_config *c);
int tlb_geometry_get(char *buf, size_t size, const struct tlb_config *c);

#endif
