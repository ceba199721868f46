/*
 * timers.c - the lock around a wheel.
 *
 * next_ns is relaxed: whoever parks reads it after the census (census.h), which
 * orders it after the last arm of every worker that has left before; and who is
 * still active looks at its own timers before it parks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/timers.h"

#include <stddef.h>

#define TOGETHER 8

static void
publish(struct coact__timers *timers)
{
    atomic_store_explicit(&timers->next_ns,
                          coact__wheel_next_ns(&timers->wheel),
                          memory_order_relaxed);
}

void
coact__timers_init(struct coact__timers *timers, int64_t now_ns)
{
    timers->lock = (struct coact__spin){false};
    coact__wheel_init(&timers->wheel, now_ns);
    publish(timers);
}

void
coact__timers_fini(struct coact__timers *timers)
{
    coact__wheel_fini(&timers->wheel);
}

bool
coact__timer_arm(struct coact__timers *timers, struct coact__timer *timer,
                 int64_t deadline_ns)
{
    coact__spin_lock(&timers->lock);
    timer->home = timers;
    coact__wheel_add(&timers->wheel, &timer->entry, deadline_ns);
    bool is_first = deadline_ns < coact__timers_next_ns(timers);
    if (is_first) {
        publish(timers);
    }
    coact__spin_unlock(&timers->lock);
    return is_first;
}

bool
coact__timer_cancel(struct coact__timer *timer)
{
    struct coact__timers *timers = timer->home;
    if (timers == NULL) {
        return false;
    }
    // The lock is taken also for a timer that looks idle: it may be firing.
    coact__spin_lock(&timers->lock);
    bool was_armed = coact__wheel_remove(&timers->wheel, &timer->entry);
    coact__spin_unlock(&timers->lock);
    return was_armed;
}

/* The next of those that have fired.  Each lies on a page of its own, mostly, as
   does what it is about: the second is fetched when the first has come. */
static uint32_t
pop_some(struct coact__wheel *wheel, struct coact__timer *some[TOGETHER])
{
    uint32_t count = 0;
    struct coact__wheel_entry *due;
    while (count < TOGETHER && (due = coact__wheel_pop(wheel)) != NULL) {
        some[count++] = (struct coact__timer *)due;
    }
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch(some[i]->subject, 1);
    }
    return count;
}

uint32_t
coact__timers_run(struct coact__timers *timers, int64_t now_ns)
{
    // Who holds the lock is likely to be at it: to wait for him would be for
    // nothing.  If he is not, next_ns stays as it is, and nobody sleeps beyond.
    if (coact__timers_next_ns(timers) > now_ns ||
        !coact__spin_try(&timers->lock)) {
        return 0;
    }
    uint32_t fired = 0;
    coact__wheel_advance(&timers->wheel, now_ns);
    struct coact__timer *some[TOGETHER];
    uint32_t count;
    while ((count = pop_some(&timers->wheel, some)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            some[i]->fire(some[i]);
        }
        fired += count;
    }
    publish(timers);
    coact__spin_unlock(&timers->lock);
    return fired;
}
