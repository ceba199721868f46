/*
 * pinned.c - how many are pinned, and what they catch up with.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/pinned.h"

#include "runtime/here.h"
#include "runtime/pinned.h"

#include <errno.h>

/* Relaxed, all of it: a number, and nothing that it would say of other memory. */
static bool
count_in(struct coact_runtime *runtime)
{
    uint32_t most = runtime->scheduler.pinning.most;
    uint32_t now = atomic_load_explicit(&runtime->pinned, memory_order_relaxed);
    do {
        if (now >= most) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &runtime->pinned, &now, now + 1, memory_order_relaxed,
        memory_order_relaxed));
    return true;
}

static void
count_out(struct coact_runtime *runtime)
{
    atomic_fetch_sub_explicit(&runtime->pinned, 1, memory_order_relaxed);
}

int
coact__actor_pin(struct coact__actor *actor)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    if (!count_in(runtime)) {
        return -EAGAIN;
    }
    int rc = coact__pin(&actor->task);
    if (rc < 0) {
        count_out(runtime);
        return rc;
    }
    actor->traits |= COACT__PINNED;
    // Beside a thread, a stack is small.
    coact__hibernate_allow(actor, COACT_HIBERNATE_NEVER);
    return 0;
}

void
coact__actor_unpin(struct coact__actor *actor)
{
    coact__unpin(&actor->task);
    count_out(coact__runtime_of(actor));
}

void
coact__actor_pinned_gone(struct coact__actor *actor)
{
    count_out(coact__runtime_of(actor));
}

void
coact__actor_catch_up(void)
{
    struct coact__worker *worker = coact__worker_here();
    if (coact__worker_is_pinned(worker)) { // in simulation it is not
        coact__pinned_catch_up(worker);
    }
}
