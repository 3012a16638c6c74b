/* The configuration of a machine as text: one table of options, from which parsing,
 * printing, help and completion are made. Its rows are in groups: the architecture here,
 * config_memory.c, config_kernel.c, and the processor's in config_hw.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_hw.h"
#include "config_private.h"
#include "hardware.h"
#include "text.h"

#include <string.h>

static const char *const arch_names[] = {
    [ARCH_I386] = "i386", [ARCH_I386_PAE] = "i386pae", [ARCH_X86_64] = "x86_64"};
enum { NR_ARCHS = sizeof arch_names / sizeof arch_names[0] };

const char *config_arch_name(enum arch arch) { return arch_names[arch]; }

static bool arch_of(const char *value, enum arch *arch)
{
    for (size_t i = 0; i < NR_ARCHS; i++) {
        if (!strcmp(arch_names[i], value)) {
            *arch = (enum arch)i;
            return true;
        }
    }
    if (!strcmp(value, "i386-pae") || !strcmp(value, "pae")) {
        *arch = ARCH_I386_PAE;
        return true;
    }
    if (!strcmp(value, "x86-64") || !strcmp(value, "amd64")) {
        *arch = ARCH_X86_64;
        return true;
    }
    return false;
}

static bool set_arch(struct machine_config *c, const char *value, struct config_error e)
{
    enum arch arch;
    if (!arch_of(value, &arch)) {
        return FAIL(e, "arch=%.40s is not known: use i386, i386pae or x86_64", value);
    }
    hw_config_change_arch(&c->hw, c->arch, arch);
    c->arch = arch;
    return true;
}

static int get_arch(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", config_arch_name(c->arch));
}

/* ---- the table ---- */

static const struct option options[] = {
    {{"arch", "i386|i386pae|x86_64", "the processor and its kernel"}, set_arch, get_arch},
};
static const struct option_group own = {options, sizeof options / sizeof options[0]};

/* Row i of all groups but the processor's; NULL past the end. */
static const struct option *option_at(size_t i)
{
    const struct option_group *const groups[] = {&own, &config_memory_options,
                                                 &config_kernel_options};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        if (i < groups[g]->nr) {
            return &groups[g]->option[i];
        }
        i -= groups[g]->nr;
    }
    return NULL;
}

const struct config_option *config_options(size_t i)
{
    const struct option *o = option_at(i);
    const size_t nr = own.nr + config_memory_options.nr + config_kernel_options.nr;
    return o ? &o->doc : hw_option(i - nr);
}

void config_init(struct machine_config *c, enum arch arch)
{
    memset(c, 0, sizeof *c);
    c->arch = arch;
    c->ram_bytes = 160 * MIB;
    c->highmem_bytes = UINT64_MAX;
    c->cpus = 1;
    c->nr_cpus = 4;
    c->user_gib = 3;
    c->max_order = MAX_ORDER;
    c->min_free_kbytes = -1;
    c->lowmem_reserve_ratio[ZONE_DMA] = 256;
    c->lowmem_reserve_ratio[ZONE_DMA32] = 256;
    c->lowmem_reserve_ratio[ZONE_NORMAL] = 32;
    c->seed = 1;
    hardware_config_init(&c->hw, arch);
}

bool config_set(struct machine_config *c, const char *name, const char *value, char *err,
                size_t err_size)
{
    struct config_error e = {err, err_size};
    name = !strcmp(name, "slub") ? "slab" : name;
    const struct option *row;
    for (size_t i = 0; (row = option_at(i)); i++) {
        if (!strcmp(row->doc.name, name)) {
            return row->set(c, value, e);
        }
    }
    if (hw_option_known(name)) {
        return hw_option_set(&c->hw, name, value, err, err_size);
    }
    const struct config_option *o;
    int len =
        snprintf(err, err_size, "%.40s is not an option of the machine: there are", name);
    for (size_t i = 0; (o = config_options(i)) && len > 0 && (size_t)len < err_size;
         i++) {
        len +=
            snprintf(err + len, err_size - (size_t)len, "%s%s", i ? ", " : " ", o->name);
    }
    return false;
}

/* Options that have their default's value are left out, except the first two. */
int config_format(char *buf, size_t size, const struct machine_config *c)
{
    struct machine_config defaults;
    config_init(&defaults, c->arch);
    struct text t = {buf, size, 0};
    const struct option *row;
    for (size_t i = 0; (row = option_at(i)); i++) {
        char value[1600], usual[1600];
        row->get(value, sizeof value, c);
        row->get(usual, sizeof usual, &defaults);
        if (i < 2 || strcmp(value, usual) != 0) {
            text_put(&t, "%s%s=%s", i ? " " : "", row->doc.name, value);
        }
    }
    for (size_t i = 0; hw_option(i); i++) {
        char value[80], usual[80];
        hw_option_get(value, sizeof value, &c->hw, hw_option(i)->name);
        hw_option_get(usual, sizeof usual, &defaults.hw, hw_option(i)->name);
        if (strcmp(value, usual) != 0) {
            text_put(&t, " %s=%s", hw_option(i)->name, value);
        }
    }
    return t.len;
}

bool config_check(const struct machine_config *c, char *err, size_t err_size)
{
    struct config_error e = {err, err_size};
    if ((unsigned)c->arch >= NR_ARCHS) {
        return FAIL(e, "arch %d is not known: use i386, i386pae or x86_64", (int)c->arch);
    }
    if (!config_memory_check(c, e)) {
        return false;
    }
    if (c->cpus < 1 || c->cpus > MAX_CPUS) {
        return FAIL(e, "cpus=%u: use 1 to %d", c->cpus, MAX_CPUS);
    }
    if (c->max_order < 2 || c->max_order > MAX_ORDER) {
        return FAIL(e, "max_order=%u: use 2 to %d", c->max_order, MAX_ORDER);
    }
    return hw_config_check(c, err, err_size);
}
