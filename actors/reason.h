/*
 * reason.h - why an actor ended.
 *
 * A reason is a code and a short text.  Codes below zero are the errors of
 * error.h, given by an actor that failed; those from COACT_USER_REASON on are
 * yours; the rest have the meaning of Erlang/OTP's exit reasons.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_REASON_H
#define COACT_REASON_H

#include <coact/error.h>

#include <stdbool.h>

COACT_BEGIN_DECLS

enum coact_reason_code {
    COACT_NORMAL = 0,         /* it returned, or said so */
    COACT_SHUTDOWN = 1,       /* asked to end, and did; as expected as normal */
    COACT_KILL = 2,           /* an exit signal that says kill, from a link */
    COACT_KILLED = 3,         /* ended by coact_kill */
    COACT_NOPROC = 4,         /* there was no such actor */
    COACT_NOCONNECTION = 5,   /* its node is gone, or cannot be reached */
    COACT_GAVE_UP = 6,        /* a supervisor: too many restarts */
    COACT_UNRESPONSIVE = 7,   /* killed, and did not end in time */
    COACT_PROCESS_EXIT = 8,   /* its process ended by itself, out of turn */
    COACT_PROCESS_SIGNAL = 9, /* its process was ended by a signal */
    COACT_STACK_OVERFLOW = 10,
    COACT_USER_REASON = 256 /* yours from here on */
};

#define COACT_REASON_TEXT 120

struct coact_reason {
    int code;
    char text[COACT_REASON_TEXT]; /* ends with NUL; may be empty */
};

/* True if a transient child is not restarted for it: normal and shutdown.
   from any, waits no, fails never */
static inline bool
coact_reason_is_expected(int code)
{
    return code == COACT_NORMAL || code == COACT_SHUTDOWN;
}

/* The name of a code, such as "normal", "killed" or "ETIMEDOUT"; "failed" for
   one of yours.
   from any, waits no, fails never */
COACT_API const char *coact_reason_name(int code);

COACT_END_DECLS

#endif
