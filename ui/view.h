/* A session on the terminal: the event loop.
 *
 *     view_begin, view_run each session, view_end;  or view_session, which is all three
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_VIEW_H
#define UI_VIEW_H

#include "options.h"
#include "session.h"

enum view_result { VIEW_QUIT, VIEW_MENU, VIEW_LOAD, VIEW_HANGUP };

/* Take the terminal. False: err says why not and what to do. */
bool view_begin(const struct options *o, char *err, size_t err_size);
/* Until the user leaves; the session stays the caller's. message: shown first, may be "".
 * VIEW_LOAD: path is what shall be opened instead. */
enum view_result view_run(struct session *s, const char *message, char *path,
                          size_t path_size);
void view_end(void);

/* The terminal for this one session; answers the program's exit status. Closes the
 * session. */
int view_session(struct session *s, const struct options *o);

/* The menu: the lesson's path (malloced) that was chosen, "" for the sandbox, "recover"
 * for the interrupted session (left is its title, "" if there is none), NULL: leave.
 * message is shown in it, if there is one; *selected is where the cursor begins and
 * stands afterwards. */
char *view_menu(const char *message, const char *left, int *selected);

#endif
