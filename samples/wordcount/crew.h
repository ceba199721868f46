/*
 * crew.h - the counters, and the supervisor that keeps them alive.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_CREW_H
#define WORDCOUNT_CREW_H

#include "messages.h"
#include "options.h"

#include <coact/supervisor.h>

/* Start options->workers counters that work for the desk, which is the caller:
   it is linked to their supervisor.  0 or a code, and why in *why. */
int crew_start(const struct options *options, desk_ref desk,
               coact_supervisor_ref *out, struct coact_reason *why);

/* Stop them all; *restarts is how often one of them was started again. */
void crew_stop(coact_supervisor_ref crew, uint64_t *restarts);

#endif
