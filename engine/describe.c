/* Values, events, stack frames and operations as text (see the tables in tables.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "describe.h"

#include <inttypes.h>
#include <string.h>

#include "bad_reasons.h"
#include "fault_inject.h"
#include "inspect.h"
#include "mempool.h"
#include "mm.h"
#include "mm_struct.h"
#include "slab.h"
#include "smp.h"
#include "text.h"

static void add_bytes(struct text *t, const char *bytes, size_t nr)
{
    text_put(t, "%.*s", (int)nr, bytes);
}

static void add(struct text *t, const char *text) { text_put(t, "%s", text); }

static struct text text_begin(char *buf, size_t size)
{
    if (size) {
        buf[0] = 0;
    }
    return (struct text){buf, size, 0};
}

/* ---- values ---- */

/* As /proc/pagetypeinfo spells them. */
static const char *const migratetype_names[MIGRATE_TYPES] = {
    [MIGRATE_UNMOVABLE] = "Unmovable",     [MIGRATE_MOVABLE] = "Movable",
    [MIGRATE_RECLAIMABLE] = "Reclaimable", [MIGRATE_HIGHATOMIC] = "HighAtomic",
    [MIGRATE_ISOLATE] = "Isolate",
};
static const char *const context_names[] = {
    [CTX_PROCESS] = "process", [CTX_SOFTIRQ] = "softirq", [CTX_HARDIRQ] = "hardirq"};
static const char *const watermark_names[] = {
    [WMARK_MIN] = "min", [WMARK_LOW] = "low", [WMARK_HIGH] = "high"};

static void add_number(struct text *t, uint64_t v) { text_put(t, "%" PRIu64, v); }
static void add_hex(struct text *t, uint64_t v) { text_put(t, "%#" PRIx64, v); }

static void add_name(struct text *t, const char *const *names, size_t nr, uint64_t v)
{
    if (v < nr && names[v]) {
        add(t, names[v]);
    } else {
        add_number(t, v);
    }
}

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static void add_migratetype(struct text *t, uint64_t v)
{
    add_name(t, migratetype_names, MIGRATE_TYPES, v);
}

static void add_context(struct text *t, uint64_t v)
{
    add_name(t, context_names, NR(context_names), v);
}

static void add_watermark(struct text *t, uint64_t v)
{
    add_name(t, watermark_names, NR(watermark_names), v);
}

static void add_pfn(struct text *t, uint64_t v)
{
    if (v == PFN_NONE) {
        add(t, "NULL");
    } else {
        text_put(t, "%#" PRIx64, v);
    }
}

static void add_signed(struct text *t, uint64_t v)
{
    text_put(t, "%" PRId64, (int64_t)v);
}

static void add_bool(struct text *t, uint64_t v) { add(t, v ? "yes" : "no"); }

static void add_gfp(struct text *t, uint64_t v)
{
    char name[512];
    gfp_format(name, sizeof name, (gfp_t)v);
    add(t, name);
}

/* A per-CPU list's index: its migratetype and order. */
static void add_pcp_list(struct text *t, uint64_t v)
{
    if (v < NR_PCP_LISTS) {
        add_migratetype(t, v % MIGRATE_PCPTYPES);
        text_put(t, "/%" PRIu64, v / MIGRATE_PCPTYPES);
    } else {
        add_number(t, v);
    }
}

static void add_alloc_flags(struct text *t, uint64_t v)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } flags[] = {
#define ROW_(name, value, meaning) {#name, value},
        ALLOC_FLAGS(ROW_)
#undef ROW_
    };
    if (!(v & ALLOC_NO_WATERMARKS)) {
        static const char *const marks[] = {"ALLOC_WMARK_MIN", "ALLOC_WMARK_LOW",
                                            "ALLOC_WMARK_HIGH"};
        add_name(t, marks, NR(marks), v & ALLOC_WMARK_MASK);
        v &= ~(uint64_t)ALLOC_WMARK_MASK;
        add(t, v ? "|" : "");
    }
    for (size_t i = 0; i < NR(flags); i++) {
        if (v & flags[i].bit) {
            v &= ~flags[i].bit;
            add(t, flags[i].name);
            add(t, v ? "|" : "");
        }
    }
    if (v) {
        add_hex(t, v);
    }
}

static void add_reason(struct text *t, uint64_t v)
{
    static const char *const texts[] = {
#define ROW_(id, text) text,
        BAD_REASONS(ROW_)
#undef ROW_
    };
    add_name(t, texts, NR(texts), v);
}

static void add_access(struct text *t, uint64_t v)
{
    static const char *const names[] = {
        [ACCESS_READ] = "load", [ACCESS_WRITE] = "store", [ACCESS_FETCH] = "fetch"};
    add_name(t, names, NR(names), v);
}

static void add_mode(struct text *t, uint64_t v)
{
    static const char *const names[] = {
        [MODE_KERNEL] = "kernel", [MODE_USER] = "user", [MODE_UACCESS] = "uaccess"};
    add_name(t, names, NR(names), v);
}

/* "rw-" */
static void add_prot(struct text *t, uint64_t v)
{
    text_put(t, "%c%c%c", v & VM_READ ? 'r' : '-', v & VM_WRITE ? 'w' : '-',
             v & VM_EXEC ? 'x' : '-');
}

static void add_op(struct text *t, uint64_t v)
{
    const struct op_info *info = v < NR_OPS ? op_info((uint16_t)v) : NULL;
    if (info) {
        add(t, info->name);
    } else {
        add_number(t, v);
    }
}

static void add_mesi(struct text *t, uint64_t v) { add(t, mesi_name((uint32_t)v)); }

static void add_memtype(struct text *t, uint64_t v) { add(t, memtype_name((uint32_t)v)); }

static void add_bus(struct text *t, uint64_t v)
{
    static const char *const names[NR_BUS_KINDS] = {"BusRd", "BusRdX", "BusUpgr",
                                                    "BusWr"};
    add_name(t, names, NR_BUS_KINDS, v);
}

static void add_l2_use(struct text *t, uint64_t v)
{
    static const char *const names[NR_L2_USES] = {"for L1", "from L1, to be kept",
                                                  "a store", "for the walker"};
    add_name(t, names, NR_L2_USES, v);
}

static void add_tlb_flush(struct text *t, uint64_t v)
{
    static const char *const names[NR_TLB_FLUSH_KINDS] = {"range", "all",
                                                          "all but global"};
    add_name(t, names, NR_TLB_FLUSH_KINDS, v);
}

static void add_cache_op(struct text *t, uint64_t v)
{
    static const char *const names[NR_CACHE_OPS] = {"", "clean", "invalidate", "flush"};
    add_name(t, names, NR_CACHE_OPS, v);
}

static void add_flag_names(struct text *t, uint64_t v)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } flags[] = {
#define ROW_(name, value, meaning) {#name, value},
        SLAB_FLAGS(ROW_)
#undef ROW_
    };
    bool any = false;
    for (size_t i = 0; i < NR(flags); i++) {
        if (v & flags[i].bit) {
            v &= ~flags[i].bit;
            text_put(t, "%s%s", any ? "|" : "", flags[i].name);
            any = true;
        }
    }
    if (v || !any) {
        text_put(t, "%s%#" PRIx64, any ? "|" : "", v);
    }
}

static void add_fault(struct text *t, uint64_t v)
{
    const char *name = v <= UINT32_MAX ? fault_point_name((uint32_t)v) : NULL;
    add_name(t, &name, 1, name ? 0 : v);
}

static void add_fault_attr(struct text *t, uint64_t v)
{
    const char *name = v <= UINT32_MAX ? fault_field_name((uint32_t)v) : NULL;
    add_name(t, &name, 1, name ? 0 : v);
}

static void add_place(struct text *t, uint64_t v)
{
    static const char *const places[] = {"on the slab", "in a free object",
                                         "off the slab", "a chain in free objects"};
    add_name(t, places, NR(places), v);
}

static void add_slab_list(struct text *t, uint64_t v)
{
    static const char *const lists[] = {"new", "partial", "full", "free"};
    add_name(t, lists, NR(lists), v);
}

/* By type, those that need no machine. */
static const struct {
    const char *type;
    void (*add)(struct text *t, uint64_t v);
} value_types[] = {
    {"pfn", add_pfn},
    {"order", add_number},
    {"mt", add_migratetype},
    {"gfp", add_gfp},
    {"cpu", add_number},
    {"ctx", add_context},
    {"n", add_number},
    {"d", add_signed},
    {"bool", add_bool},
    {"wmark", add_watermark},
    {"aflags", add_alloc_flags},
    {"addr", add_hex},
    {"op", add_op},
    {"reason", add_reason},
    {"list", add_pcp_list},
    {"x", add_hex},
    {"access", add_access},
    {"mode", add_mode},
    {"prot", add_prot},
    {"mesi", add_mesi},
    {"memtype", add_memtype},
    {"bus", add_bus},
    {"l2use", add_l2_use},
    {"tlbflush", add_tlb_flush},
    {"cacheop", add_cache_op},
    {"element", add_pfn},
    {"fault", add_fault},
    {"faultattr", add_fault_attr},
    {"place", add_place},
    {"slablist", add_slab_list},
    {"slabflags", add_flag_names},
};

static void add_zone(struct text *t, const struct machine *m, uint64_t v)
{
    if (m && m->mm && v < machine_nr_zones(m)) {
        add(t, zone_view(m, (uint32_t)v).name);
    } else {
        add_number(t, v);
    }
}

/* A number of the timeline's strings. */
static void add_string(struct text *t, const struct machine *m, uint64_t v)
{
    const char *text = m && m->texts ? m->texts->text(m->texts->ctx, v) : NULL;
    if (text) {
        add(t, text);
    } else {
        add_number(t, v);
    }
}

/* The allocator's own spinlocks have numbers that say which they are; the others have
 * names. */
static void add_lock(struct text *t, const struct machine *m, uint64_t v)
{
    const uint64_t zone = v & 0xff;
    if (v == LOCK_ZONE(zone)) {
        add(t, "zone->lock/");
        add_zone(t, m, zone);
    } else if (v == LOCK_PCP(zone, v >> 8 & 0xff)) {
        add(t, "pcp->lock/");
        add_zone(t, m, zone);
        text_put(t, "/%" PRIu64, v >> 8 & 0xff);
    } else if (v >> 61 == 1) {
        text_put(t, "%s", v & 1 ? "vmap_area_lock" : "kmap_lock");
    } else {
        add_string(t, m, v);
    }
}

static void add_cache(struct text *t, const struct machine *m, uint64_t v)
{
    const struct kmem_cache *c = m && m->slab && v ? cache_r(m, v) : NULL;
    const char *gone = !c && v && m && m->texts && m->texts->cache
                           ? m->texts->cache(m->texts->ctx, v)
                           : NULL;
    if (c || gone) {
        add(t, c ? c->name : gone);
    } else if (v) {
        text_put(t, "cache-%" PRIu64, v);
    } else {
        add(t, "NULL");
    }
}

static void add_mempool(struct text *t, const struct machine *m, uint64_t v)
{
    char name[SLAB_NAME + 40];
    mempool_format(name, sizeof name, m, v);
    add(t, name);
}

/* By type, those that ask the machine. */
static const struct {
    const char *type;
    void (*add)(struct text *t, const struct machine *m, uint64_t v);
} machine_types[] = {{"zone", add_zone},
                     {"text", add_string},
                     {"lock", add_lock},
                     {"cache", add_cache},
                     {"mempool", add_mempool}};

static void add_value(struct text *t, const struct machine *m, const char *type,
                      uint64_t v)
{
    for (size_t i = 0; i < NR(machine_types); i++) {
        if (strcmp(machine_types[i].type, type) == 0) {
            machine_types[i].add(t, m, v);
            return;
        }
    }
    for (size_t i = 0; i < NR(value_types); i++) {
        if (strcmp(value_types[i].type, type) == 0) {
            value_types[i].add(t, v);
            return;
        }
    }
    add_number(t, v);
}

int value_format(char *buf, size_t size, const struct machine *m, const char *type,
                 uint64_t value)
{
    struct text t = text_begin(buf, size);
    add_value(&t, m, type, value);
    return t.len;
}

/* ---- events ---- */

int event_format(char *buf, size_t size, const struct machine *m, const struct event *ev)
{
    struct text t = text_begin(buf, size);
    const struct event_info *info = event_info(ev->kind);
    char name[32], type[32];
    if (!info) {
        text_put(&t, "event-%u", ev->kind);
        return t.len;
    }
    add(&t, info->name);
    for (uint32_t i = 0; i < PROBE_ARGS && arg_describe(info->args, i, name, type); i++) {
        add(&t, " ");
        add(&t, name);
        add(&t, "=");
        /* Words are told apart by their spaces. */
        const bool spaces = strcmp(type, "reason") == 0 || strcmp(type, "text") == 0;
        add(&t, spaces ? "\"" : "");
        add_value(&t, m, type, ev->arg[i]);
        add(&t, spaces ? "\"" : "");
    }
    return t.len;
}

/* Behind a count of one: " pages come" is " page comes". Answers the bytes of text that
 * it stands for; 0: text does not begin with a word of the table. */
static size_t add_singular(struct text *t, const char *text)
{
    static const char *const words[][2] = {{" TLB entries", " TLB entry"},
                                           {" blocks", " block"},
                                           {" bursts", " burst"},
                                           {" bytes", " byte"},
                                           {" caches", " cache"},
                                           {" colours", " colour"},
                                           {" copies", " copy"},
                                           {" elements", " element"},
                                           {" entries", " entry"},
                                           {" frames", " frame"},
                                           {" free ones", " free one"},
                                           {" free pages", " free page"},
                                           {" free slabs", " free slab"},
                                           {" lazily freed areas", " lazily freed area"},
                                           {" objects", " object"},
                                           {" others", " other"},
                                           {" pages", " page"},
                                           {" sleepers", " sleeper"},
                                           {" slabs", " slab"},
                                           {" slots", " slot"},
                                           {" times", " time"}};
    static const char *const verbs[][2] = {
        {" are ", " is "},     {" were ", " was "},   {" come ", " comes "},
        {" go ", " goes "},    {" wait ", " waits "}, {" have ", " has "},
        {" stay ", " stays "}, {" stay.", " stays."}, {" stay;", " stays;"}};
    size_t done = 0;
    for (size_t i = 0; i < NR(words) && !done; i++) {
        const size_t len = strlen(words[i][0]);
        if (strncmp(text, words[i][0], len) == 0 &&
            !(text[len] >= 'a' && text[len] <= 'z')) {
            add(t, words[i][1]);
            done = len;
        }
    }
    for (size_t i = 0; i < NR(verbs); i++) {
        const size_t len = strlen(verbs[i][0]);
        if (strncmp(text + done, verbs[i][0], len) == 0) {
            add(t, verbs[i][1]);
            return done + len;
        }
    }
    return done;
}

/* The value of the argument that is called name[0 .. len). False: there is none. *one: it
 * is a count, and 1. */
static bool add_argument(struct text *t, const struct machine *m, const char *args,
                         const uint64_t *values, const char *wanted, size_t len,
                         bool *one)
{
    char name[32], type[32];
    const char *tilde = memchr(wanted, '~', len);
    const size_t name_len = tilde ? (size_t)(tilde - wanted) : len;
    for (uint32_t i = 0; i < PROBE_ARGS && arg_describe(args, i, name, type); i++) {
        if (strlen(name) == name_len && memcmp(name, wanted, name_len) == 0) {
            if (tilde && values[i] == UINT64_MAX) {
                add_bytes(t, tilde + 1, len - name_len - 1);
            } else {
                add_value(t, m, type, values[i]);
            }
            *one = values[i] == 1 && !type[1] && (*type == 'n' || *type == 'd');
            return true;
        }
    }
    return false;
}

/* "name?text if it is not 0|text if it is": false when it is no such choice. */
static bool add_choice(struct text *t, const char *args, const uint64_t *arg,
                       const char *choice, size_t len)
{
    const char *mark = memchr(choice, '?', len);
    const char *bar = mark ? memchr(mark, '|', len - (size_t)(mark - choice)) : NULL;
    char name[32], type[32];
    for (uint32_t i = 0; bar && arg_describe(args, i, name, type); i++) {
        size_t name_len = strlen(name);
        if (choice + name_len == mark && memcmp(name, choice, name_len) == 0) {
            if (arg[i]) {
                add_bytes(t, mark + 1, (size_t)(bar - mark) - 1);
            } else {
                add_bytes(t, bar + 1, (size_t)(choice + len - bar) - 1);
            }
            return true;
        }
    }
    return false;
}

static void add_sentence(struct text *t, const struct machine *m, const struct event *ev)
{
    const struct event_info *info = event_info(ev->kind);
    const char *at = info ? info->sentence : "";
    while (*at) {
        size_t plain = strcspn(at, "{");
        add_bytes(t, at, plain);
        at += plain;
        size_t len = *at ? strcspn(at + 1, "}") : 0;
        if (!*at) {
            break;
        }
        bool one = false;
        if (at[1 + len] && (add_choice(t, info->args, ev->arg, at + 1, len) ||
                            add_argument(t, m, info->args, ev->arg, at + 1, len, &one))) {
            at += len + 2;
            at += one ? add_singular(t, at) : 0;
        } else {
            add_bytes(t, at++, 1);
        }
    }
}

int event_explain(char *buf, size_t size, const struct machine *m, const struct event *ev)
{
    struct text t = text_begin(buf, size);
    add_sentence(&t, m, ev);
    return t.len;
}

/* "{a?b|c}" is (b | c), with one of them empty [b]; "{a}" and "{a~b}" are <a>. */
static void add_form(struct text *t, const char *form, size_t len)
{
    const char *mark = memchr(form, '?', len);
    const char *bar = mark ? memchr(mark, '|', len - (size_t)(mark - form)) : NULL;
    const char *tilde = memchr(form, '~', len);
    if (!bar) {
        add(t, "<");
        add_bytes(t, form, tilde ? (size_t)(tilde - form) : len);
        add(t, ">");
        return;
    }
    const size_t yes = (size_t)(bar - mark) - 1, no = (size_t)(form + len - bar) - 1;
    add(t, yes && no ? "(" : "[");
    add_bytes(t, mark + 1, yes);
    add(t, yes && no ? " | " : "");
    add_bytes(t, bar + 1, no);
    add(t, yes && no ? ")" : "]");
}

int event_sentence(char *buf, size_t size, uint16_t kind)
{
    struct text t = text_begin(buf, size);
    const struct event_info *info = event_info(kind);
    for (const char *at = info ? info->sentence : ""; *at;) {
        const size_t plain = strcspn(at, "{"), len = strcspn(at + plain, "}");
        add_bytes(&t, at, plain);
        at += plain;
        if (*at) {
            add_form(&t, at + 1, len - 1);
            at += len + (at[len] == '}');
        }
    }
    return t.len;
}

/* ---- the call stack ---- */

const char *fn_file(const struct machine *m, uint16_t fn)
{
    const char *file = fn_info(fn)->file;
    return m && m->config.slub && !strcmp(file, "mm/slab.c") ? "mm/slub.c" : file;
}

int frame_format(char *buf, size_t size, const struct machine *m,
                 const struct probe_frame *f)
{
    struct text t = text_begin(buf, size);
    const struct fn_info *info = fn_info(f->fn);
    char name[32], type[32];
    if (!info) {
        text_put(&t, "function-%u()", f->fn);
        return t.len;
    }
    add(&t, info->name);
    add(&t, "(");
    for (uint32_t i = 0; i < PROBE_FRAME_ARGS && arg_describe(info->args, i, name, type);
         i++) {
        add(&t, i ? ", " : "");
        add(&t, name);
        add(&t, "=");
        add_value(&t, m, type, f->arg[i]);
    }
    add(&t, ")");
    return t.len;
}

/* ---- operations ---- */

/* A result's type in words; others are words already. */
static const char *result_word(const char *type)
{
    static const struct {
        const char *type, *word;
    } words[] = {{"pfn", "page"},    {"addr", "address"}, {"n", "number"},
                 {"d", "number"},    {"x", "number"},     {"bool", "true or false"},
                 {"mempool", "pool"}};
    for (size_t i = 0; i < NR(words); i++) {
        if (!strcmp(words[i].type, type)) {
            return words[i].word;
        }
    }
    return type;
}

int signature_format(char *buf, size_t size, const char *name, const char *args,
                     const char *result)
{
    struct text t = text_begin(buf, size);
    char arg[32], type[32];
    text_put(&t, "%s(", name);
    for (uint32_t i = 0; arg_describe(args, i, arg, type); i++) {
        text_put(&t, "%s%s", i ? ", " : "", arg);
    }
    add(&t, ")");
    if (result && strcmp(result, "-") != 0) {
        text_put(&t, " -> %s", result_word(result));
    }
    return t.len;
}

int op_format(char *buf, size_t size, const struct machine *m, const struct op *op,
              const uint64_t *result)
{
    struct text t = text_begin(buf, size);
    const struct op_info *info = op_info(op->kind);
    char name[32], type[32];
    if (!info) {
        text_put(&t, "operation-%u()", op->kind);
        return t.len;
    }
    add(&t, info->name);
    add(&t, "(");
    for (uint32_t i = 0; i < NR(op->arg) && arg_describe(info->args, i, name, type);
         i++) {
        add(&t, i ? ", " : "");
        add_value(&t, m, type, op->arg[i]);
    }
    add(&t, ")");
    if (result && strcmp(info->result, "-") != 0) {
        add(&t, " = ");
        add_value(&t, m, info->result, *result);
    }
    return t.len;
}
