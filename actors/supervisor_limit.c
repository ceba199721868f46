/*
 * supervisor_limit.c - how often, and how soon, a child may be restarted.
 *
 * The window holds at most `intensity` times.  When it is full and the oldest
 * of them is still within the period, one more would be more than intensity in
 * a period: the supervisor gives up.  Old times leave when somebody looks, so
 * each is written and removed once, whatever the intensity.
 *
 * The backoff draws from the upper half of the wait only: half of it keeps
 * children that failed together from coming back together, and the other half
 * keeps the promise that the wait grows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_limit.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#define START_FAILED_FIRST_NS COACT_MS(10)
#define MAX_NS COACT_SECONDS(30)

/* A start can fail before it has waited for anything.  Tried again without a
   pause, it would keep the supervisor from everything else. */
#define FAILED_START_NS COACT_US(1)

int
coact__window_init(struct coact__window *window, int32_t intensity,
                   int64_t period_ns)
{
    *window = (struct coact__window){.period_ns = period_ns};
    if (intensity == COACT_RESTART_FOREVER) {
        window->unlimited = true;
        return 0;
    }
    if (intensity == COACT_NO_RESTARTS) {
        return 0;
    }
    window->room = (uint32_t)intensity;
    window->at = coact__alloc(window->room * sizeof(window->at[0]));
    return window->at != NULL ? 0 : -ENOMEM;
}

void
coact__window_fini(struct coact__window *window)
{
    coact__free(window->at);
    window->at = NULL;
}

static void
forget_old(struct coact__window *window, int64_t now_ns)
{
    while (window->count > 0 &&
           now_ns - window->at[window->first] > window->period_ns) {
        window->first = (window->first + 1) % window->room;
        window->count--;
    }
}

bool
coact__window_add(struct coact__window *window, int64_t now_ns)
{
    if (window->unlimited) {
        return true;
    }
    forget_old(window, now_ns);
    if (window->count == window->room) {
        return false;
    }
    uint64_t last = (uint64_t)window->first + window->count;
    window->at[last % window->room] = now_ns;
    window->count++;
    return true;
}

uint32_t
coact__window_used(struct coact__window *window, int64_t now_ns)
{
    forget_old(window, now_ns);
    return window->count;
}

int32_t
coact__window_left(struct coact__window *window, int64_t now_ns)
{
    if (window->unlimited) {
        return COACT_RESTART_FOREVER;
    }
    forget_old(window, now_ns);
    return (int32_t)(window->room - window->count);
}

void
coact__backoff_complete(struct coact_backoff *backoff)
{
    if (backoff->max_ns == 0) {
        backoff->max_ns =
            backoff->first_ns > MAX_NS ? backoff->first_ns : MAX_NS;
    }
    if (backoff->reset_ns == 0) {
        backoff->reset_ns = backoff->max_ns;
    }
}

int64_t
coact__backoff_wait_ns(const struct coact_backoff *backoff, uint32_t nth,
                       bool start_failed)
{
    int64_t wait_ns = backoff->first_ns;
    if (wait_ns == 0 && start_failed) {
        wait_ns = START_FAILED_FIRST_NS;
    }
    if (wait_ns <= 0) {
        return start_failed ? FAILED_START_NS : 0;
    }
    while (--nth > 0 && wait_ns < backoff->max_ns) {
        wait_ns = wait_ns > INT64_MAX / 2 ? INT64_MAX : wait_ns * 2;
    }
    if (wait_ns > backoff->max_ns) {
        wait_ns = backoff->max_ns;
    }
    // 65,537 steps are fine enough to part children that failed together.
    int64_t half = wait_ns / 2, steps = (int64_t)coact__oracle_choose(65537);
    int64_t more = half / 65536 * steps + half % 65536 * steps / 65536;
    return wait_ns - half + more;
}
