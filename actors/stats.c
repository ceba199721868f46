/*
 * stats.c - the counters, and the list of actors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/account_internal.h"
#include "actors/life.h"
#include "actors/node.h"

#include <string.h>

/* One counter over all rows; they are written while we read (relaxed). */
static uint64_t
sum(struct coact_runtime *runtime, size_t counter)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i <= runtime->scheduler.worker_rows; i++) {
        const char *row = (const char *)&runtime->counts[i];
        total += atomic_load_explicit(
            (const _Atomic uint64_t *)(const void *)(row + counter),
            memory_order_relaxed);
    }
    return total;
}
#define SUM(runtime, member)                                                   \
    sum((runtime), offsetof(struct coact__counts, member))

/* Those that have woken first: each of them has been counted asleep before.
   Acquire pairs with the release of who counts. */
static uint64_t
hibernated(struct coact__scheduler *scheduler)
{
    uint64_t woken = 0;
    uint64_t put_away = 0;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        woken += atomic_load_explicit(&scheduler->workers[i].unhibernated,
                                      memory_order_acquire);
    }
    for (uint32_t i = 0; i < n; i++) {
        put_away += atomic_load_explicit(&scheduler->workers[i].hibernated,
                                         memory_order_relaxed);
    }
    return put_away - woken;
}

static void
add_worker(void *context, const struct coact__worker *worker)
{
    struct coact_runtime_stats *out = context;
    out->messages_sent +=
        atomic_load_explicit(&worker->sends, memory_order_relaxed);
    out->dispatches +=
        atomic_load_explicit(&worker->dispatches, memory_order_relaxed);
    out->steals += atomic_load_explicit(&worker->steals, memory_order_relaxed);
    out->parks += atomic_load_explicit(&worker->parks, memory_order_relaxed);
    out->timers_fired +=
        atomic_load_explicit(&worker->timers_fired, memory_order_relaxed);
}

static void
add_workers(struct coact__scheduler *scheduler, struct coact_runtime_stats *out)
{
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        add_worker(out, &scheduler->workers[i]);
    }
    coact__pinned_each(scheduler, add_worker, out);
    out->actors_hibernated = hibernated(scheduler);
    out->workers = scheduler->worker_count;
    out->workers_active = coact__census_awake(&scheduler->census);
}

static void
add_stacks(struct coact__scheduler *scheduler, struct coact_runtime_stats *out)
{
    static const char *const names[] = {[COACT__GUARD_BEST] = "madvise",
                                        [COACT__GUARD_LIGHT] = "madvise",
                                        [COACT__GUARD_HEAVY] = "mprotect",
                                        [COACT__GUARD_NONE] = "none"};
    for (int i = 0; i < COACT__STACK_CLASSES; i++) {
        struct coact__stacks_counts counts;
        coact__stacks_count(scheduler->stacks[i], &counts);
        counts.in_use -= i == 0; // the reserve
        out->stacks_in_use += counts.in_use;
        out->stacks_mapped += counts.in_use + counts.warm + counts.cold;
        out->stack_bytes += counts.mapped_bytes;
        if (i == 0) {
            out->stack_guards = names[counts.next];
        }
    }
}

static void
add_blocking(struct coact__blocking *pool, struct coact_runtime_stats *out)
{
    struct coact__blocking_counts counts;
    coact__blocking_count(pool, &counts);
    out->blocking_threads = counts.threads;
    out->blocking_busy = counts.busy;
    out->blocking_queued = counts.queued;
    out->blocking_done = counts.done;
    out->blocking_abandoned = counts.abandoned;
    out->blocking_longest_wait_ns = counts.longest_wait_ns;
}

static void
add_stuck(struct coact_runtime *runtime, struct coact_runtime_stats *out)
{
    struct coact__parking *parking = &runtime->scheduler.parking;
    out->actors_stuck =
        atomic_load_explicit(&runtime->stuck_now, memory_order_relaxed);
    out->actors_stuck_ever =
        atomic_load_explicit(&runtime->stuck_ever, memory_order_relaxed);
    out->stand_ins =
        atomic_load_explicit(&parking->stuck, memory_order_relaxed);
    pthread_mutex_lock(&parking->lock);
    out->threads = parking->threads;
    pthread_mutex_unlock(&parking->lock);
}

void
coact_stats(struct coact_runtime *runtime, struct coact_runtime_stats *out)
{
    memset(out, 0, sizeof(*out));
    out->actors_alive = coact__count_alive(runtime);
    out->actors_spawned = SUM(runtime, spawned);
    out->actors_ended = SUM(runtime, ended);
    out->actors_failed = SUM(runtime, failed);
    out->messages_sent = SUM(runtime, sent);
    out->messages_unhandled = SUM(runtime, unhandled);
    out->messages_refused = SUM(runtime, refused);
    out->dead_letters = SUM(runtime, dead_letters);
    out->replies_late = SUM(runtime, replies_late);
    out->misuses = SUM(runtime, misuses);
    out->fields_unknown = SUM(runtime, unknown_fields);
    add_workers(&runtime->scheduler, out);
    add_stacks(&runtime->scheduler, out);
    add_blocking(&runtime->blocking, out);
    add_stuck(runtime, out);
    out->actors_pinned =
        atomic_load_explicit(&runtime->pinned, memory_order_relaxed);
    coact__node_stats(runtime, out);
}

static const char *
state_of(struct coact__actor *actor)
{
    const char *doing =
        atomic_load_explicit(&actor->doing, memory_order_relaxed);
    if (atomic_load_explicit(&actor->task.is_hibernated,
                             memory_order_relaxed)) {
        return "hibernated";
    }
    return doing != NULL ? doing : "running or ready";
}

void
coact_each_actor(struct coact_runtime *runtime,
                 bool (*each)(void *context, const struct coact_actor_info *),
                 void *context)
{
    // The lock keeps names and labels as they are; actors come and go.
    pthread_mutex_lock(&runtime->lock);
    for (uint32_t i = 0; i < runtime->slots; i++) {
        struct coact__actor *actor = coact__slot_at(runtime, i);
        uint64_t word =
            atomic_load_explicit(&actor->word, memory_order_acquire);
        if ((word & COACT__ACTOR_ALIVE) == 0) {
            continue;
        }
        const coact_ref ref = {runtime->node, runtime->incarnation, i,
                               (uint32_t)(word >> 32)};
        struct coact_account account;
        bool has_account = coact__account_read(runtime, ref, &account);
        const struct coact_actor_info info = {
            .ref = ref,
            .label = coact__label_of(actor),
            .name = actor->name,
            .mailbox = coact__mailbox_of(actor)->name,
            .state = state_of(actor),
            .queued =
                atomic_load_explicit(&actor->pending, memory_order_relaxed),
            .since_ns = coact__since_ns(actor),
            .account = has_account ? &account : NULL};
        if (!each(context, &info)) {
            break;
        }
    }
    pthread_mutex_unlock(&runtime->lock);
}
