/*
 * no_switch.h - mark code that must not be switched away from.
 *
 * A call that suspends looks like any other.  Between two lines that belong
 * together, such a call lets others run: they see what is half done, and the
 * actor may go on on another thread.  A region says that this must not be:
 *
 *   COACT_NO_SWITCH {
 *       from->cents -= cents;
 *       log_transfer(from, to);        has somebody put a coact_ask in there?
 *       to->cents += cents;
 *   }
 *
 * Each call whose contract says "waits yes" is a user's mistake inside of a
 * region, also when it would find what it waits for and not suspend: otherwise
 * the mistake would show under load only.  It is counted (misuses) and logged,
 * with the place where the region began and the wait that was tried, by its
 * name in the list of actors; and where the runtime has `abort_on_misuse`, as
 * in builds of the debug preset, it aborts.  Else the wait goes on.
 *
 * To end is no mistake: coact_exit, coact_fail and coact_undefer may be called;
 * a clean-up that runs at the end of the actor may wait again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_NO_SWITCH_H
#define COACT_NO_SWITCH_H

#include <coact/error.h>

COACT_BEGIN_DECLS

/* A block, which the actor must not be switched away from.  It can be left by
   break, return, goto and the end of the actor, not by longjmp; `continue` ends
   it like `break`, which does not reach a loop around it.  Regions nest, and
   the innermost is the one that is named.  In a thread that is no actor nothing
   is checked.
   from any, waits no, fails never */
#define COACT_NO_SWITCH COACT__NO_SWITCH(__LINE__)

/* ---- Behind the macro ---------------------------------------------------- */

/* On the stack of the actor, for as long as the region lasts. */
struct coact_no_switch {
    void *actor; /* NULL: nothing is checked */
    struct coact_no_switch *outer;
    const char *file, *function;
    int line;
};

/* Named after the line, so that one region in another hides nothing. */
#define COACT__NO_SWITCH(line) COACT__NO_SWITCH_OF(line)
#define COACT__NO_SWITCH_OF(line)                                              \
    for (struct coact_no_switch coact__region_##line                           \
             COACT__ENDS = {0, 0, __FILE__, __func__, __LINE__},               \
             *coact__once_##line =                                             \
                 coact__no_switch_begin(&coact__region_##line);                \
         coact__once_##line != 0; coact__once_##line = 0)
#define COACT__ENDS __attribute__((cleanup(coact__no_switch_end)))

COACT_API struct coact_no_switch *
coact__no_switch_begin(struct coact_no_switch *region);
COACT_API void coact__no_switch_end(struct coact_no_switch *region);

COACT_END_DECLS

#endif
