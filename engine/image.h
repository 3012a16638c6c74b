/* The kernel's image in memory: where text, constants and data lie.
 *
 *   start      text_end   rodata     rodata_end             idt   end
 *   | text, ro, x | gap, RW | constants, ro | data, bss, RW | ro | ... heap |
 *
 * The sections of the usual images are those of the kernels in the golden records; an
 * image of another place or size has the same sections in proportion. On 32 bits there is
 * no gap: constants follow text. Frames are page frame numbers, ends are not in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_IMAGE_H
#define ENGINE_IMAGE_H

#include "machine.h"

struct image {
    uint64_t start, text_end, rodata, rodata_end;
    uint64_t idt; /* the interrupt descriptor table's page */
    uint64_t end;
    /* x86-64: what of it (with its heap) the second mapping covers, in pages of 2 MiB */
    uint64_t map_end;
};

/* False: this machine has no image (kernel=none); all fields are 0. */
bool image_layout(struct image *image, const struct machine_config *c);
/* Its bytes as the configuration has them, where it says nothing the usual ones. */
void image_bytes(const struct machine_config *c, uint64_t *start, uint64_t *end);

#endif
