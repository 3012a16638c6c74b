/* mmscope run: what it prints, as text against a golden file and as JSON through a strict
 * parser, and its exit statuses.
 *
 * MMSCOPE_GENERATE=1 writes the golden file anew.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "runner.h"
#include "tap.h"

static char *out, *err;
static size_t out_size, err_size;

static const char *const *settings; /* of the next run */

static enum run_status run(const char *name, bool json, enum run_events events)
{
    char path[4096];
    free(out);
    free(err);
    struct run_options o = {
        .json = json, .events = events, .session = {.settings = settings}};
    o.out = open_memstream(&out, &out_size);
    o.err = open_memstream(&err, &err_size);
    if (!o.out || !o.err) {
        bail_out("no memory for a stream");
    }
    enum run_status status = run_scenario(source_path(path, sizeof path, name), &o);
    fclose(o.out);
    fclose(o.err);
    return status;
}

/* ---- a strict parser of JSON (RFC 8259): only whether it is some ---- */

static const char *value(const char *s, int depth);

static const char *string(const char *s)
{
    if (*s++ != '"') {
        return NULL;
    }
    while (*s != '"') {
        unsigned char c = (unsigned char)*s++;
        if (c < 0x20) {
            return NULL;
        }
        if (c == '\\') {
            if (*s == 'u') {
                if (strspn(s + 1, "0123456789abcdefABCDEF") < 4) {
                    return NULL;
                }
                s += 5;
            } else if (*s && strchr("\"\\/bfnrt", *s)) {
                s++;
            } else {
                return NULL;
            }
        } else if (c >= 0x80) {
            int more = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : -1;
            if (more < 0) {
                return NULL;
            }
            for (; more; more--) {
                if ((*s++ & 0xc0) != 0x80) {
                    return NULL;
                }
            }
        }
    }
    return s + 1;
}

static const char *number(const char *s)
{
    s += *s == '-';
    if (*s == '0') {
        s++;
    } else {
        size_t digits = strspn(s, "0123456789");
        if (!digits) {
            return NULL;
        }
        s += digits;
    }
    return *s == '.' || *s == 'e' || *s == 'E' || (*s >= '0' && *s <= '9')
               ? NULL
               : s; /* we write none of these */
}

static const char *members(const char *s, char close, int depth)
{
    if (*s == close) {
        return s + 1;
    }
    while (true) {
        if (close == '}') {
            s = string(s);
            if (!s || *s++ != ':') {
                return NULL;
            }
        }
        s = value(s, depth + 1);
        if (!s) {
            return NULL;
        }
        if (*s == close) {
            return s + 1;
        }
        if (*s++ != ',') {
            return NULL;
        }
    }
}

static const char *value(const char *s, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    if (depth > 10) {
        return NULL;
    }
    if (*s == '{' || *s == '[') {
        return members(s + 1, *s == '{' ? '}' : ']', depth);
    }
    if (*s == '"') {
        return string(s);
    }
    for (int i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (strncmp(s, words[i], len) == 0) {
            return s + len;
        }
    }
    return number(s);
}

/* Every line is an object with a type; answers how many lines of this type there are. */
static unsigned lines_of(const char *type)
{
    char wanted[64];
    unsigned n = 0, bad = 0;
    snprintf(wanted, sizeof wanted, "{\"type\":\"%s\"", type);
    for (const char *line = out; *line;) {
        const char *end = *line == '{' ? value(line, 0) : NULL;
        if (!end || *end != '\n' || strncmp(line, "{\"type\":\"", 9) != 0) {
            diag("not JSON: %.200s", line);
            bad++;
        }
        n += strncmp(line, wanted, strlen(wanted)) == 0;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return bad ? UINT32_MAX : n;
}

/* ---- text ---- */

static void golden(const char *name)
{
    char path[4096];
    source_path(path, sizeof path, name);
    /* The summary's figures change with every change of the engine. */
    char *last = strstr(out, "\n5 operations, ");
    if (last) {
        last[1] = 0;
    }
    if (getenv("MMSCOPE_GENERATE")) {
        FILE *f = fopen(path, "w");
        ok(f && fputs(out, f) >= 0 && fclose(f) == 0, "%s is written anew", name);
        return;
    }
    FILE *f = fopen(path, "r");
    char *want = calloc(1, 1 << 20);
    if (f && want && fread(want, 1, (1 << 20) - 1, f)) {
        is_str(out, want, "as in %s", name);
    } else {
        ok(false, "%s cannot be read", name);
    }
    if (f) {
        fclose(f);
    }
    free(want);
}

static unsigned too_long(void)
{
    unsigned n = 0;
    for (const char *line = out; *line;
         line += strcspn(line, "\n"), line += *line == '\n') {
        size_t len = strcspn(line, "\n");
        bool narration = *line >= 'A' && *line <= 'Z';
        n += narration && len > 80;
    }
    return n;
}

static const char *last_line(void)
{
    const char *last = out;
    for (const char *s = out; *s; s++) {
        if (*s == '\n' && s[1]) {
            last = s + 1;
        }
    }
    return last;
}

int main(void)
{
    is_u64(run("tests/scenarios/small.lua", false, RUN_EVENTS_NONE), RUN_OK,
           "all holds: 0");
    golden("tests/golden/run-small.txt");
    is_str(err, "", "nothing on stderr");
    is_u64(too_long(), 0, "narration in 80 columns");
    size_t without = out_size;
    run("tests/scenarios/small.lua", false, RUN_EVENTS_STEPS);
    size_t with_steps = out_size;
    ok(strstr(out, "is halved") && !strstr(out, "next on the zonelist"),
       "events that are steps");
    run("tests/scenarios/small.lua", false, RUN_EVENTS_ALL);
    ok(strstr(out, "is halved") && strstr(out, "next on the zonelist"), "all events");
    ok(without < with_steps && with_steps < out_size, "none, steps, all: more each time");

    is_u64(run("tests/scenarios/fails.lua", false, RUN_EVENTS_STEPS),
           RUN_EXPECTATION_FAILED, "a claim fails: 1");
    ok(strstr(out, "EXPECTATION FAILED") && strstr(out, "fails.lua:6): one is two") &&
           strstr(out, "got 3, wanted 4"),
       "and is told with its line and values");
    ok(strstr(last_line(), "1 expectation held, 2 failed, digest "), "summary: %s",
       last_line());

    is_u64(run("tests/scenarios/error.lua", false, RUN_EVENTS_STEPS), RUN_SCRIPT_ERROR,
           "a script error: 2");
    ok(strstr(err, "error.lua:4: alas\nstack traceback:\n") &&
           strstr(err, "error.lua:14:"),
       "message with file, line and traceback: %s", err);
    ok(!strchr(out, 7), "no control characters reach the terminal");
    is_u64(run("tests/scenarios/nowhere.lua", false, RUN_EVENTS_STEPS), RUN_SCRIPT_ERROR,
           "no such file: 2");
    ok(strstr(err, "nowhere.lua: No such file"), "told: %s", err);

    is_u64(run("tests/scenarios/loops.lua", false, RUN_EVENTS_NONE), RUN_OK,
           "loops over memory: what they touch and count");
    static const char *const machines[][4] = {
        {"arch=i386", NULL},
        {"arch=i386pae", "tags=pipt", NULL},
        {"arch=x86_64", "pcid=true", NULL},
        {"arch=x86_64", "la57=true", "psc=8,4,2,2", NULL}};
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        settings = machines[i];
        const enum run_status status =
            run("tests/scenarios/processes.lua", false, RUN_EVENTS_NONE);
        is_u64(status, RUN_OK, "processes on %s: %s", machines[i][0], err);
    }
    static const char *const slub[] = {"slab=slub", NULL};
    settings = slub;
    enum run_status status =
        run("tests/scenarios/slab_merge.lua", false, RUN_EVENTS_NONE);
    is_u64(status, RUN_OK, "merging on SLUB: %s", err);
    settings = NULL;
    status = run("tests/scenarios/slab_merge.lua", false, RUN_EVENTS_NONE);
    is_u64(status, RUN_OK, "merging on SLAB: %s", err);
    ok(strstr(out, "kmem_cache_destroy(task_a)") && !strstr(out, "cache-"),
       "a cache that is gone is called by its name");
    status = run("tests/scenarios/slub_debug.lua", false, RUN_EVENTS_STEPS);
    is_u64(status, RUN_OK, "SLUB's debugging: %s", err);
    ok(strstr(out, "| BUG kmalloc-64 (Not tainted): Right Redzone overwritten") &&
           strstr(out, "| Allocated in ") && strstr(out, "slub_debug.lua:") &&
           strstr(out, "|   last allocated by operation ") &&
           strstr(out, "| FIX kmalloc-64: Restoring Right Redzone 0x"),
       "the kernel's report stands under the event");
    status = run("tests/scenarios/flat.lua", false, RUN_EVENTS_NONE);
    is_u64(status, RUN_OK, "machine{ ... } first, then what it shall do: %s", err);
    ok(strstr(last_line(), "62 operations, ") == last_line() &&
           strstr(last_line(), "4 expectations held, 0 failed"),
       "each once: %s", last_line());
    settings = machines[0];
    is_u64(run("tests/scenarios/flat.lua", false, RUN_EVENTS_NONE), RUN_OK,
           "on another architecture");
    settings = NULL;
    status = run("tests/scenarios/two-machines.lua", false, RUN_EVENTS_NONE);
    is_u64(status, RUN_OK, "a second machine beside the script's own: %s", err);
    ok(strstr(last_line(), "1 operation, ") == last_line() &&
           strstr(last_line(), "8 expectations held, 0 failed"),
       "its operations are not the script's: %s", last_line());
    is_u64(run("tests/scenarios/small.lua", true, RUN_EVENTS_ALL), RUN_OK, "as JSON");
    is_u64(lines_of("start"), 1, "every line is valid; one start");
    is_u64(lines_of("end"), 1, "one end");
    is_u64(lines_of("title"), 2, "titles");
    is_u64(lines_of("say"), 2, "narration");
    is_u64(lines_of("ask"), 1, "the question");
    is_u64(lines_of("expect"), 2, "claims");
    is_u64(lines_of("op"), 5, "operations");
    ok(lines_of("event") > 20, "events");
    ok(strstr(out, "\"name\":\"__free_pages\",\"cpu\":1,") &&
           strstr(out, "\"gfp\":\"GFP_ATOMIC\",\"order\":0}"),
       "arguments and CPU");
    ok(strstr(last_line(), "{\"type\":\"end\",\"status\":\"done\",\"operations\":5,") ==
           last_line(),
       "%s", last_line());
    run("tests/scenarios/small.lua", true, RUN_EVENTS_NONE);
    is_u64(lines_of("event"), 0, "no events with --events=none");
    is_u64(run("tests/scenarios/error.lua", true, RUN_EVENTS_STEPS), RUN_SCRIPT_ERROR,
           "an error as JSON");
    is_u64(lines_of("error"), 1, "valid whatever bytes the script says");
    ok(strstr(out, "\\u0007 bytes \\ufffd\\ufffd and Ünïcödé") &&
           strstr(out, "quotes \\\" backslash \\\\ tab \\t"),
       "escapes");
    ok(strstr(last_line(), "\"status\":\"error\""), "%s", last_line());
    free(out);
    free(err);
    return done_testing();
}
