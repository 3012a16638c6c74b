/* mmscope dap: an editor steps lessons, over standard input and output.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "dap.h"
#include "subcommands.h"

int cmd_dap(const struct options *o, int argc, char **argv)
{
    const struct session_options so = {.history_bytes = o->history_bytes,
                                       .settings = o->settings,
                                       .keep_locals = true,
                                       .seed = o->seed};
    if (argc) {
        return trouble("dap takes no argument: the editor names the scenario (%s)",
                       argv[0]);
    }
    return dap_serve(stdin, stdout, &so)
               ? EXIT_OK
               : trouble(
                     "this is no Debug Adapter Protocol: an editor starts mmscope dap");
}
