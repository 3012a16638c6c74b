/* A session in a small text file: configuration, script and what the user did, from which
 * everything else follows.
 *
 *   mmscope session 1
 *   name PATH                       what messages call the script
 *   title TITLE                     for whoever lists such files
 *   config NAME=VALUE ...
 *   script BYTES                    followed by the text and a newline; 0: the sandbox
 *   text "..."                      in the order of their numbers, as far as locks are named
 *                                   by them: the machine knows a lock by that number
 *   branch PARENT FORK_OP NAME      in the order in which they began
 *   run N                           the script issues N operations
 *   do CPU OPERATION ARGUMENT...    the user does one; texts in quotes
 *   interrupt EVENT CPU N           N operations, a line each as after "do", come at this
 *                                   event of the operation before
 *   fork EVENT CPU N                the same, where the interrupt began the branch
 *   wait CPU N                      the same, asked for and not taken yet
 *   digest OPS HEX                  of the machine at the branch's end
 *   position BRANCH OP EVENT
 *   note LINE                       whatever the caller wants to keep
 *   end
 *
 * Loading does all of that again, and compares the digests.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_SESSION_FILE_H
#define SCRIPTS_SESSION_FILE_H

#include "session.h"

/* Does a file's text begin as a session does? */
bool session_file_is(const char *text, size_t size);
/* The file's text (malloced), with the caller's lines as notes; the position is left as
 * it is. NULL: err says why it cannot be saved. */
char *session_file_make(struct session *s, const char *notes, char *err, size_t err_size);
/* Do what text says: a session at the saved position, or NULL with cause and remedy in
 * err. */
struct session *session_file_load(const char *path, const char *text, size_t size,
                                  const struct session_options *o, char *err,
                                  size_t err_size);
/* The notes of the file that the session came from, a line each; "": none. */
const char *session_notes(const struct session *s);

/* Save it: whoever reads path, even after a crash, finds the old file or the new one,
 * whole. False: err says why not. */
bool session_save(struct session *s, const char *path, const char *notes, char *err,
                  size_t err_size);

#endif
