/*
 * crew.h - the counters, and the supervisor that keeps them alive.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_CREW_H
#define WORDCOUNT_CREW_H

#include "messages.h"
#include "options.h"

#include <coact/reason.h>

struct crew;

/* Start options->workers counters that work for the desk, which is the caller.
   It fails if their supervisor does.  0, or a code and why.  Given:
   crew_stop. */
int crew_start(struct crew **out, const struct options *options, desk_ref desk,
               struct coact_reason *why);

/* How often one of them was started again. */
uint64_t crew_restarts(const struct crew *crew);

/* Stop them all.  May be used in a clean-up; NULL is nobody to stop. */
void crew_stop(struct crew *crew);

#endif
