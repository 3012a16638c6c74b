/* The kernel's image in memory (image.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "image.h"

#include <string.h>

#define IMAGE_START ((uint64_t)16 << 20)

/* Physical bytes of the kernels in the golden records. */
struct usual {
    uint64_t text_end, rodata, rodata_end, idt, end;
};
static const struct usual usual_images[] = {
    [ARCH_I386] = {0x132b000, 0x132b000, 0x140d000, 0x1532000, 0x1583000},
    [ARCH_I386_PAE] = {0x1338000, 0x1338000, 0x141b000, 0x1543000, 0x1599000},
    [ARCH_X86_64] = {0x1601000, 0x1800000, 0x1901000, 0x1bbf000, 0x1e00000},
};
static const struct usual with_slub = {0x1331000, 0x1331000, 0x1414000, 0x1539000,
                                       0x1593000};

static const struct usual *usual_image(const struct machine_config *c)
{
    return c->slub && c->arch == ARCH_I386 ? &with_slub : &usual_images[c->arch];
}

void image_bytes(const struct machine_config *c, uint64_t *start, uint64_t *end)
{
    *start = c->kernel_end ? c->kernel_start : IMAGE_START;
    *end = c->kernel_end ? c->kernel_end : usual_image(c)->end;
}

/* The frame that lies in the image where `at` lies in the usual one. */
static uint64_t frame_at(const struct usual *u, uint64_t at, uint64_t start, uint64_t end)
{
    const uint64_t usual_pages = (u->end - IMAGE_START) >> PAGE_SHIFT;
    const uint64_t pages = ((end + PAGE_SIZE - 1) >> PAGE_SHIFT) - (start >> PAGE_SHIFT);
    const uint64_t offset = (at - IMAGE_START) >> PAGE_SHIFT;
    return (start >> PAGE_SHIFT) + offset * pages / usual_pages;
}

bool image_layout(struct image *image, const struct machine_config *c)
{
    const struct usual *u = usual_image(c);
    uint64_t start, end;
    memset(image, 0, sizeof *image);
    image_bytes(c, &start, &end);
    if (start >= end) {
        return false;
    }
    const uint64_t large = (uint64_t)512; /* pages */
    image->start = start >> PAGE_SHIFT;
    image->text_end = frame_at(u, u->text_end, start, end);
    image->rodata = frame_at(u, u->rodata, start, end);
    image->rodata_end = frame_at(u, u->rodata_end, start, end);
    image->idt = frame_at(u, u->idt, start, end);
    image->end = (end + PAGE_SIZE - 1) >> PAGE_SHIFT;
    image->map_end = (image->end + large) & ~(large - 1); /* the heap is behind it */
    return true;
}
