/*
 * census.h - how many workers are awake, and whether news waits for them.
 *
 * A worker that leaves (to park) and a stranger who brings work meet in one
 * word.  Either the worker sees the news and stays, or the stranger sees that
 * nobody is awake and wakes one: there is no order of events in which both
 * miss each other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_CENSUS_H
#define COACT_RUNTIME_CENSUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__census {
    _Atomic uint32_t word; /* awake workers << 1 | news */
};

void coact__census_init(struct coact__census *census, uint32_t awake);

/* Count ourselves awake. */
void coact__census_join(struct coact__census *census);

/* Count ourselves out.  False: there is news, we are still counted; look for
   work again, then ask again. */
bool coact__census_leave(struct coact__census *census);

/* Count out, whatever there is, one who does not come back, or who is one too
   many.  True: nobody is awake now, and there is news; the caller, alone, must
   wake one, if he does not go to work himself. */
bool coact__census_leave_anyway(struct coact__census *census);

/* After work was put where workers look: say so.  True: nobody is awake, and
   the caller, alone, must wake one. */
bool coact__census_announce_from_any(struct coact__census *census);

/* How many are awake.  None: what those who left did before is visible. */
uint32_t coact__census_awake(const struct coact__census *census);

#endif
