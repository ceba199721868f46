/*
 * stuck.h - reports of actors that do not come back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_STUCK_H
#define COACT_ACTORS_STUCK_H

#include "runtime/error.h"
#include "runtime/lookout.h"

#include <stdbool.h>
#include <stdint.h>

/* One for each worker: what its open report was about.  NULL: no memory. */
struct coact__stuck_record *coact__stuck_records_new(uint32_t workers);

/* Before the first thread: handle the signal of backtraces; 0: none.
   fails EINVAL */
COACT_CHECKED int coact__stuck_prepare(int signal);

/* coact_main's own choice, where the program has made none. */
void coact__stuck_prepare_default(int signal);

/* What the lookout calls; see scheduler.h. */
bool coact__stuck_tell(void *owner, const struct coact__stuck_run *run);
void coact__stuck_over(void *owner, struct coact__worker *worker,
                       int64_t now_ns);

#endif
