/*
 * checkpoint.c - a yield that asks first whether it is time for one.
 *
 * The lookout sets `attention` of a worker that has not looked at the time for
 * two milliseconds, and of one in whose place somebody works (lookout.c); so the
 * usual answer is found in three loads and reads no clock.  Where nobody keeps
 * a lookout, because a host drives the runtime, the clock is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/switch_check.h"
#include "runtime/here.h"
#include "runtime/oracle.h"

#include <errno.h>

#define TURN_NS INT64_C(2000000)

/* By the clock, where nobody else looks at it. */
static bool
has_had_its_turn(const struct coact__worker *worker)
{
    return worker->scheduler->options.host_driven &&
           (coact__oracle_is_simulated() ||
            coact__oracle_now_ns() -
                    atomic_load_explicit(&worker->looked_ns,
                                         memory_order_relaxed) >=
                TURN_NS);
}

static inline bool
is_asked(const struct coact__worker *worker, const struct coact__actor *actor)
{
    const struct coact__ready *ready = &worker->ready;
    return atomic_load_explicit(&ready->bias.attention, memory_order_relaxed) ||
           (coact__ready_waiting(ready) & ready->urgent) != 0 ||
           actor->unusual != 0 ||
           coact__inbox_is_notified(&actor->task.inbox) ||
           has_had_its_turn(worker);
}

/* Nobody waits for this thread; but it may be asked to end, and nobody else fires
   its timers. */
static int
look_up(const struct coact__worker *worker, struct coact__actor *actor)
{
    int64_t next_ns =
        atomic_load_explicit(&worker->timers.next_ns, memory_order_relaxed);
    if (!is_asked(worker, actor) &&
        (next_ns == INT64_MAX || next_ns > coact__oracle_now_ns())) {
        return 0;
    }
    coact__switch_check(actor, "checkpoint");
    return coact__wait_begin(actor);
}

int
coact_checkpoint(void)
{
    const struct coact__worker *worker = coact__worker_here();
    struct coact__actor *actor =
        worker != NULL ? (struct coact__actor *)coact__worker_current(worker)
                       : NULL;
    if (actor == NULL) {
        (void)coact__actor_or_misuse("coact_checkpoint");
        return -EPERM;
    }
    if (COACT__UNLIKELY(coact__worker_is_pinned(worker))) {
        return look_up(worker, actor);
    }
    return is_asked(worker, actor) ? coact_yield() : 0;
}
