/* The glyph sets.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "glyphs.h"

#include <langinfo.h>
#include <string.h>
#include <wchar.h>

static const struct glyphs sets[NR_GLYPH_SETS] = {
#define GLYPH_UTF8_(name, utf8, braille, ascii) .name = utf8,
#define GLYPH_BRAILLE_(name, utf8, braille, ascii) .name = braille,
#define GLYPH_ASCII_(name, utf8, braille, ascii) .name = ascii,
    [GLYPHS_UTF8] = {GLYPH_TABLE(GLYPH_UTF8_)},
    [GLYPHS_BRAILLE] = {GLYPH_TABLE(GLYPH_BRAILLE_)},
    [GLYPHS_ASCII] = {GLYPH_TABLE(GLYPH_ASCII_)},
};

const struct glyphs *glyphs(enum glyph_set set)
{
    return &sets[set < NR_GLYPH_SETS ? set : GLYPHS_ASCII];
}

static bool all_one_column(const struct glyphs *g)
{
#define GLYPH_CHECK_(name, utf8, braille, ascii)                                         \
    if (wcwidth((wchar_t)g->name) != 1) {                                                \
        return false;                                                                    \
    }
    GLYPH_TABLE(GLYPH_CHECK_)
#undef GLYPH_CHECK_
    return true;
}

enum glyph_set glyphs_choose(bool force_ascii)
{
    const char *codeset = nl_langinfo(CODESET);
    bool utf8 = !strcmp(codeset, "UTF-8") || !strcmp(codeset, "utf8");
    if (force_ascii || !utf8) {
        return GLYPHS_ASCII;
    }
    return all_one_column(&sets[GLYPHS_UTF8])      ? GLYPHS_UTF8
           : all_one_column(&sets[GLYPHS_BRAILLE]) ? GLYPHS_BRAILLE
                                                   : GLYPHS_ASCII;
}
