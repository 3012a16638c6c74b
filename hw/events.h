/* The hardware's events as numbers, for announcing them below the engine. The engine's
 * enum event_kind begins with the same rows of the same table, so both agree.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_EVENTS_H
#define HW_EVENTS_H

enum hw_event_kind {
    HW_EV_NONE,
#define EVENT(id, name, level, args, sentence) HW_EV_##id,
#include "events.def"
#undef EVENT
    HW_NR_EVENTS
};

#endif
