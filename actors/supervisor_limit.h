/*
 * supervisor_limit.h - how often, and how soon, a child may be restarted.
 *
 * Two small machines without a clock of their own: the window counts restarts
 * and says when there are too many; the backoff says how long to wait before
 * the next one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SUPERVISOR_LIMIT_H
#define COACT_ACTORS_SUPERVISOR_LIMIT_H

#include "actors/supervisor.h"

#include <stdbool.h>
#include <stdint.h>

/* The most that a ring of times is made for. */
#define COACT__WINDOW_MAX 1000000

/* The times of the last restarts, oldest first, in a ring as large as the
   intensity, so that no restart ever needs memory. */
struct coact__window {
    int64_t *at;
    uint32_t room; /* the intensity */
    uint32_t first, count;
    int64_t period_ns;
    bool unlimited;
};

/* intensity as in struct coact_supervisor, but not 0.  0 or -ENOMEM. */
COACT_CHECKED int coact__window_init(struct coact__window *window,
                                     int32_t intensity, int64_t period_ns);
void coact__window_fini(struct coact__window *window);

/* Count a restart.  False, and it is not counted: that is one too many. */
bool coact__window_add(struct coact__window *window, int64_t now_ns);

/* How many have been counted and are not yet older than the period. */
uint32_t coact__window_used(struct coact__window *window, int64_t now_ns);

/* How many may follow now; COACT_RESTART_FOREVER without a limit. */
int32_t coact__window_left(struct coact__window *window, int64_t now_ns);

/* How long to wait after the nth failure in a row (from 1).  `backoff` has no
   zeros left but first_ns; see coact__backoff_complete. */
int64_t coact__backoff_wait_ns(const struct coact_backoff *backoff,
                               uint32_t nth, bool start_failed);

/* Put the defaults in the place of zeros. */
void coact__backoff_complete(struct coact_backoff *backoff);

#endif
