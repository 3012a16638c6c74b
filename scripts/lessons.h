/* Where the lessons are, for the menu, `mmscope list`, `mmscope show` and `mmscope run
 * 01`.
 *
 * The directory is, first that exists:
 *   $MMSCOPE_LESSONS                   when set and not empty: only this one
 *   the source tree's lessons/         when the program runs from its build tree
 *   PREFIX/share/mmscope/lessons       beside the program's bin directory, wherever it
 * was moved to $datadir/mmscope/lessons           as installed
 *
 * A lesson is a file NN-name.lua; teaching order is the order of the names.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_LESSONS_H
#define SCRIPTS_LESSONS_H

#include <stddef.h>

struct lesson {
    char *path;    /* the file */
    char *name;    /* "01-split-and-merge" */
    char *title;   /* "" when the file does not load */
    char *summary; /* one line; what is wrong with it when it does not load */
};

struct lessons {
    struct lesson *at;
    size_t nr;
    char *dir; /* where they were found, or looked for last */
};

/* Never fails: no directory is an empty list. Give it back with lessons_free. */
struct lessons lessons_load(void);
void lessons_free(struct lessons *l);

/* The file of a lesson by "01", "1", "01-split-and-merge" or an unambiguous part of the
 * name; a word that contains
 * '/' or ends in ".lua" is taken as a file as it stands. A malloced path; NULL with cause
 * and remedy in err. */
char *lesson_find(const char *word, char *err, size_t err_size);

#endif
