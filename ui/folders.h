/* The user's folders for state, configuration and caches, as the XDG rules name them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_FOLDERS_H
#define UI_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

enum user_folder { FOLDER_STATE, FOLDER_CONFIG, FOLDER_CACHE };

/* "$XDG_STATE_HOME/mmscope/NAME", or "$HOME/.local/state/mmscope/NAME", and the like.
 * False: neither variable is set, or the path does not fit. */
bool user_path(char *buf, size_t size, enum user_folder folder, const char *name);
/* Make the folders that path lies in, for this user alone. */
void make_folders(char *path);

#endif
