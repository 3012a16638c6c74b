/* The Debug Adapter Protocol over two streams: editors step lessons.
 *
 * https://microsoft.github.io/debug-adapter-protocol. A thread is a CPU; a stack is the
 * simulated one, innermost first, and below it the script's. next is the script's next
 * line, stepIn one step, stepOut finish; stepBack and reverseContinue go back. evaluate
 * takes any command of the command line, or Lua.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_DAP_H
#define UI_DAP_H

#include "session.h"

#include <stdio.h>

/* Serve one client until it leaves; o is for the sessions that it launches. False: it
 * spoke something else. */
bool dap_serve(FILE *in, FILE *out, const struct session_options *o);

#endif
