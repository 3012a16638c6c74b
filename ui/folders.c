/* The user's folders.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool user_path(char *buf, size_t size, enum user_folder folder, const char *name)
{
    static const struct {
        const char *variable, *below_home;
    } folders[] = {[FOLDER_STATE] = {"XDG_STATE_HOME", ".local/state"},
                   [FOLDER_CONFIG] = {"XDG_CONFIG_HOME", ".config"},
                   [FOLDER_CACHE] = {"XDG_CACHE_HOME", ".cache"}};
    const char *base = getenv(folders[folder].variable), *home = getenv("HOME");
    const int n = base && *base == '/' ? snprintf(buf, size, "%s/mmscope/%s", base, name)
                  : home && *home      ? snprintf(buf, size, "%s/%s/mmscope/%s", home,
                                                  folders[folder].below_home, name)
                                       : -1;
    return n > 0 && (size_t)n < size;
}

void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
}
