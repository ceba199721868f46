/*
 * timers.h - one worker's timers: a wheel behind a lock, so that others can
 * serve it while its worker is stuck in an actor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TIMERS_H
#define COACT_RUNTIME_TIMERS_H

#include "runtime/spin.h"
#include "runtime/wheel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__timers {
    struct coact__spin lock;
    _Atomic int64_t next_ns; /* no later than the first deadline */
    struct coact__wheel wheel;
};

/* Embed it in what waits; all zero before its first use but for `fire`. */
struct coact__timer {
    struct coact__wheel_entry entry; /* first: a fired entry is a timer */
    struct coact__timers *home;      /* where it was armed last */
    void (*fire)(struct coact__timer *timer);
    void *subject; /* what `fire` will write to: on its way from memory by then,
                      if it is not NULL */
};

/* In memory that is all zero. */
void coact__timers_init(struct coact__timers *timers, int64_t now_ns);

/* No timer is armed or cancelled from then on. */
void coact__timers_fini(struct coact__timers *timers);

/* Arm a timer that is not armed.  Its owner alone arms and cancels it.  True:
   it is the earliest of these timers now. */
bool coact__timer_arm(struct coact__timers *timers, struct coact__timer *timer,
                      int64_t deadline_ns);

/* After this, `fire` neither runs nor will.  True if it had not. */
bool coact__timer_cancel(struct coact__timer *timer);

/* Fire what is due, under the lock: `fire` must neither wait, nor arm or cancel
   a timer, and may wake tasks.  The number fired; 0 as well while another thread
   holds the lock: it comes back, since next_ns tells of what is due yet. */
uint32_t coact__timers_run(struct coact__timers *timers, int64_t now_ns);

/* When there is something to fire, at the earliest; INT64_MAX: never. */
static inline int64_t
coact__timers_next_ns(struct coact__timers *timers)
{
    return atomic_load_explicit(&timers->next_ns, memory_order_relaxed);
}

#endif
