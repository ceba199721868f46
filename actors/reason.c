/*
 * reason.c - the names of reasons.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/reason.h"

#include <stddef.h>

const char *
coact_reason_name(int code)
{
    static const char *const names[] = {
        [COACT_NORMAL] = "normal",
        [COACT_SHUTDOWN] = "shutdown",
        [COACT_KILL] = "kill",
        [COACT_KILLED] = "killed",
        [COACT_NOPROC] = "noproc",
        [COACT_NOCONNECTION] = "noconnection",
        [COACT_GAVE_UP] = "gave up",
        [COACT_UNRESPONSIVE] = "unresponsive",
        [COACT_PROCESS_EXIT] = "process exit",
        [COACT_PROCESS_SIGNAL] = "process signal",
        [COACT_STACK_OVERFLOW] = "stack overflow",
    };
    if (code >= 0 && code < (int)(sizeof(names) / sizeof(names[0]))) {
        return names[code];
    }
    const char *name = code < 0 ? coact_errname(code) : NULL;
    return name != NULL ? name : "failed";
}
