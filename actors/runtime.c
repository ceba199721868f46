/*
 * runtime.c - start, stop, and look into a runtime.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/ending.h"
#include "actors/family.h"
#include "actors/life.h"
#include "actors/node.h"
#include "actors/role_internal.h"
#include "actors/segv.h"
#include "actors/stuck.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define DEFAULT_MAX_ACTORS ((uint32_t)COACT__SLABS * COACT__SLAB_SLOTS)

#define HIBERNATE_AFTER_NS COACT_MS(10000)

/* ---- Starting ---- */

static int
set_options(struct coact_runtime *runtime,
            const struct coact_runtime_options *options)
{
    if (options != NULL) {
        runtime->options = *options;
    }
    struct coact_runtime_options *ours = &runtime->options;
    if (ours->max_actors == 0 || ours->max_actors > DEFAULT_MAX_ACTORS) {
        ours->max_actors = DEFAULT_MAX_ACTORS;
    }
    if (ours->stack_bytes == 0) {
        ours->stack_bytes = COACT__STACK_BYTES;
    }
    if (coact__oracle_is_simulated()) {
        ours->host_driven = true;
    }
    if (ours->hibernate_after_ns < 0) {
        return -EINVAL;
    }
    if (ours->hibernate_after_ns == 0) {
        ours->hibernate_after_ns = HIBERNATE_AFTER_NS;
    }
    ours->abort_on_misuse = ours->abort_on_misuse || COACT_ABORT_ON_MISUSE;
    coact__log_init(&runtime->log, ours->log_level, ours->log,
                    ours->log_context);
    runtime->node = ours->node.number;
    while (runtime->node == 0) {
        coact__oracle_random(&runtime->node, sizeof(runtime->node));
        runtime->node |= UINT32_C(1) << 31; // no user's number
    }
    while (runtime->incarnation == 0) {
        coact__oracle_random(&runtime->incarnation,
                             sizeof(runtime->incarnation));
    }
    runtime->where = (uint64_t)runtime->incarnation << 32 | runtime->node;
    int rc = coact__stuck_prepare(ours->backtrace_signal);
    return rc < 0 ? rc : coact__segv_contain(runtime);
}

/* At each look of a worker at the world: has coact_request_stop been here?  Is
   anybody to be hibernated? */
static void
look(void *owner)
{
    struct coact_runtime *runtime = owner;
    if (atomic_load_explicit(&runtime->stop_requested, memory_order_acquire) &&
        !atomic_load_explicit(&runtime->stopping, memory_order_acquire)) {
        coact__begin_stop(runtime);
    }
    coact__delays_look(runtime, coact__oracle_now_ns());
    coact__hibernation_look(runtime);
}

static void
free_rows(struct coact_runtime *runtime)
{
    coact__free(runtime->counts);
    coact__free(runtime->slot_caches);
    coact__free(runtime->stuck_records);
}

/* What each worker has for itself; the last row of counts is for all others. */
static int
new_rows(struct coact_runtime *runtime, uint32_t workers)
{
    runtime->counts =
        coact__alloc_zeroed((workers + 1) * sizeof(struct coact__counts));
    runtime->slot_caches =
        coact__alloc_zeroed(workers * sizeof(struct coact__slot_cache));
    runtime->stuck_records = coact__stuck_records_new(workers);
    if (runtime->counts == NULL || runtime->slot_caches == NULL ||
        runtime->stuck_records == NULL) {
        free_rows(runtime);
        return -ENOMEM;
    }
    return 0;
}

static void
free_scheduler(struct coact_runtime *runtime)
{
    coact__scheduler_stop(&runtime->scheduler);
    coact__role_limits_free(runtime);
    coact__delays_free(runtime);
    free_rows(runtime);
}

static int
start_scheduler(struct coact_runtime *runtime)
{
    const struct coact_runtime_options *ours = &runtime->options;
    struct coact__role_list roles;
    int rc = coact__role_specs(ours, &roles);
    if (rc < 0) {
        return rc;
    }
    const struct coact__scheduler_options options = {
        .roles = roles.specs,
        .role_count = roles.count,
        .workers = ours->workers,
        .host_driven = ours->host_driven,
        .stacks = {.stack_bytes = ours->stack_bytes,
                   .allow_unguarded = ours->unguarded_stacks},
        .owner = runtime,
        .table = runtime->table,
        .run = coact__actor_run,
        .ended = coact__actor_ended,
        .look = look,
        .stand_ins = ours->stand_ins,
        .hog_ns = ours->hog_ns,
        .hog_report_ns = ours->hog_report_ns,
        .stuck = coact__stuck_tell,
        .stuck_over = coact__stuck_over,
        .pinned_threads = ours->pinned_threads,
        .no_stack = coact__actor_no_stack};
    if ((rc = new_rows(runtime, coact__scheduler_slots(&options))) < 0) {
        return rc;
    }
    if ((rc = coact__delays_start(runtime)) < 0) {
        goto free_rows;
    }
    if ((rc = coact__scheduler_start(&runtime->scheduler, &options)) < 0) {
        goto free_delays;
    }
    if ((rc = coact__role_limits_start(runtime)) < 0) {
        goto stop_scheduler;
    }
    return 0;

stop_scheduler:
    coact__scheduler_stop(&runtime->scheduler);
free_delays:
    coact__delays_free(runtime);
free_rows:
    free_rows(runtime);
    return rc;
}

static int
init_gone(struct coact_runtime *runtime)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&runtime->gone, &attr);
        pthread_condattr_destroy(&attr);
    }
    return -rc;
}

int
coact_start(const struct coact_runtime_options *options,
            struct coact_runtime **out)
{
    struct coact_runtime *runtime = coact__alloc_zeroed(sizeof(*runtime));
    if (runtime == NULL) {
        return -ENOMEM;
    }
    int rc = set_options(runtime, options);
    if (rc < 0) {
        goto free_runtime;
    }
    atomic_init(&runtime->next_id, 1);
    coact__blocking_init(&runtime->blocking, runtime->options.blocking_threads);
    if ((rc = coact__slots_init(runtime)) < 0) {
        goto free_runtime;
    }
    if ((rc = -pthread_mutex_init(&runtime->lock, NULL)) < 0) {
        goto free_slots;
    }
    if ((rc = -pthread_mutex_init(&runtime->pump_lock, NULL)) < 0) {
        goto destroy_lock;
    }
    if ((rc = init_gone(runtime)) < 0) {
        goto destroy_pump_lock;
    }
    if ((rc = start_scheduler(runtime)) < 0) {
        goto destroy_gone;
    }
    if ((rc = coact__node_start(runtime)) < 0) {
        goto stop_scheduler;
    }
    *out = runtime;
    return 0;

stop_scheduler:
    free_scheduler(runtime);
destroy_gone:
    pthread_cond_destroy(&runtime->gone);
destroy_pump_lock:
    pthread_mutex_destroy(&runtime->pump_lock);
destroy_lock:
    pthread_mutex_destroy(&runtime->lock);
free_slots:
    coact__slots_free(runtime);
free_runtime:
    coact__free(runtime);
    return rc;
}

/* ---- Stopping ---- */

void
coact_request_stop(struct coact_runtime *runtime)
{
    atomic_store_explicit(&runtime->stop_requested, true, memory_order_release);
    coact__poller_kick(&runtime->scheduler.poller);
}

bool
coact_is_stopping(const struct coact_runtime *runtime)
{
    return atomic_load_explicit(&runtime->stop_requested,
                                memory_order_acquire) ||
           atomic_load_explicit(&runtime->stopping, memory_order_acquire);
}

/* A read-modify-write, so that a birth that we do not see sees us: its exchange
   comes after, and acquires that we are stopping (actor.c). */
static bool
is_alive(struct coact__actor *actor, uint32_t *generation)
{
    uint64_t word =
        atomic_fetch_or_explicit(&actor->word, 0, memory_order_acq_rel);
    *generation = (uint32_t)(word >> 32);
    return (word & COACT__ACTOR_ALIVE) != 0;
}

/* Does nobody supervise it?  The lock keeps the slot from being used again. */
static bool
is_top(struct coact__actor *actor, uint32_t generation)
{
    pthread_mutex_lock(&coact__runtime_of(actor)->lock);
    uint32_t now;
    bool top = is_alive(actor, &now) && now == generation &&
               (atomic_load_explicit(&actor->word, memory_order_relaxed) &
                COACT__ACTOR_SUPERVISED) == 0;
    pthread_mutex_unlock(&coact__runtime_of(actor)->lock);
    return top;
}

/* Call fn for each actor alive. */
static void
each_alive(struct coact_runtime *runtime,
           bool (*fn)(void *context, struct coact__actor *actor,
                      uint32_t generation),
           void *context)
{
    pthread_mutex_lock(&runtime->lock);
    uint32_t slots = runtime->slots;
    pthread_mutex_unlock(&runtime->lock);
    for (uint32_t i = 0; i < slots; i++) {
        struct coact__actor *actor = coact__slot_at(runtime, i);
        uint32_t generation;
        if (is_alive(actor, &generation) && !fn(context, actor, generation)) {
            return;
        }
    }
}

/* Supervised actors are ended by their supervisors, in the order of the tree. */
void
coact__shut_down(struct coact__actor *actor, uint32_t generation)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    if (is_top(actor, generation)) {
        const struct coact_reason reason = {.code = COACT_SHUTDOWN};
        coact_ref to = {runtime->node, runtime->incarnation,
                        coact__number_of(actor), generation};
        if (coact__signal_local(runtime, (coact_ref){0}, to, &reason) < 0) {
            coact__kill_local(actor, generation);
        }
    }
}

static bool
shut_down(void *context, struct coact__actor *actor, uint32_t generation)
{
    (void)context;
    coact__shut_down(actor, generation);
    return true;
}

void
coact__begin_stop(struct coact_runtime *runtime)
{
    atomic_store_explicit(&runtime->stop_requested, true, memory_order_release);
    atomic_store_explicit(&runtime->stopping, true, memory_order_release);
    each_alive(runtime, shut_down, runtime);
}

static bool
kill_one(void *context, struct coact__actor *actor, uint32_t generation)
{
    (void)context;
    coact__kill_local(actor, generation);
    return true;
}

enum { NAMED_MOST = 20 };

/* Those that have not ended, and how many they are by now. */
struct late {
    struct coact_runtime *runtime;
    uint32_t count;
};

static bool
blame(void *context, struct coact__actor *actor, uint32_t generation)
{
    struct late *late = context;
    struct coact_runtime *runtime = late->runtime;
    if (++late->count > NAMED_MOST) {
        return true; // a million of them would be no help
    }
    pthread_mutex_lock(&runtime->lock);
    const char *doing =
        atomic_load_explicit(&actor->doing, memory_order_relaxed);
    uint32_t now;
    if (is_alive(actor, &now) && now == generation) {
        coact__log(runtime, COACT_LOG_ERROR,
                   "stop: %s (actor %u.%u) has not ended; it is in %s",
                   coact__label_of(actor), coact__number_of(actor), generation,
                   doing != NULL ? doing : "code that does not wait");
    }
    pthread_mutex_unlock(&runtime->lock);
    return true;
}

static bool
is_empty(struct coact_runtime *runtime)
{
    return coact__count_alive(runtime) == 0;
}

/* Who ends may not have seen yet that we are stopping, and then wakes nobody: so
   we look again now and then. */
#define LOOK_AGAIN_NS COACT_MS(2)

static void
await_empty(struct coact_runtime *runtime, int64_t deadline_ns)
{
    if (runtime->options.host_driven) {
        // A pinned actor ends on a thread of its own, and its kick may be missed.
        int64_t at;
        while (!is_empty(runtime) &&
               (at = coact__oracle_now_ns()) < deadline_ns) {
            bool is_far = deadline_ns - at > LOOK_AGAIN_NS &&
                          !coact__oracle_is_simulated();
            coact__drive(runtime, -1,
                         is_far ? at + LOOK_AGAIN_NS : deadline_ns);
        }
        return;
    }
    pthread_mutex_lock(&runtime->lock);
    int64_t now;
    while (!is_empty(runtime) && (now = coact__oracle_now_ns()) < deadline_ns) {
        int64_t until = deadline_ns - now < LOOK_AGAIN_NS ? deadline_ns
                                                          : now + LOOK_AGAIN_NS;
        struct timespec at = {until / 1000000000, until % 1000000000};
        pthread_cond_timedwait(&runtime->gone, &runtime->lock, &at);
    }
    pthread_mutex_unlock(&runtime->lock);
}

/* Their actors are no more, and nothing of ours runs there. */
static int
await_pinned(struct coact_runtime *runtime, int64_t deadline_ns)
{
    int rc = coact__pinning_join(&runtime->scheduler, deadline_ns);
    if (rc < 0) {
        coact__log(runtime, COACT_LOG_ERROR,
                   "stop: the thread of a pinned actor that has ended has not "
                   "left yet; is it in the destructor of a thread-local?");
    }
    return rc;
}

static void
blame_call(void *context, const char *whose, int64_t since_ns)
{
    coact__log(
        context, COACT_LOG_ERROR,
        "stop: coact_blocking, called by %s %.3f s ago, has not returned",
        whose, (double)(coact__oracle_now_ns() - since_ns) / 1e9);
}

/* Nobody is left to begin one; those that are left were abandoned. */
static int
await_blocking(struct coact_runtime *runtime, int64_t deadline_ns)
{
    int rc = coact__blocking_await(&runtime->blocking, deadline_ns);
    if (rc < 0) {
        coact__blocking_each(&runtime->blocking, blame_call, runtime);
    }
    return rc;
}

int
coact_stop(struct coact_runtime *runtime, int64_t deadline_ns)
{
    if (coact__runtime_here() == runtime && coact__actor_here() != NULL) {
        return coact__misuse(runtime, -EPERM, "coact_stop",
                             "an actor cannot wait for its own end; use "
                             "coact_request_stop");
    }
    coact__begin_stop(runtime);
    // Most of the time to end in order, the rest to end at all.
    int64_t now = coact__oracle_now_ns();
    int64_t patience = deadline_ns == COACT_FOREVER
                           ? COACT_FOREVER
                           : now + (deadline_ns - now) / 4 * 3;
    await_empty(runtime, patience);
    if (!is_empty(runtime)) {
        each_alive(runtime, kill_one, runtime);
        await_empty(runtime, deadline_ns);
    }
    if (!is_empty(runtime)) {
        struct late late = {.runtime = runtime};
        each_alive(runtime, blame, &late);
        if (late.count > NAMED_MOST) {
            coact__log(runtime, COACT_LOG_ERROR,
                       "stop: and %u others have not ended",
                       late.count - NAMED_MOST);
        }
        return -ETIMEDOUT;
    }
    int rc = await_pinned(runtime, deadline_ns);
    if (rc == 0) {
        rc = await_blocking(runtime, deadline_ns);
    }
    if (rc == 0) {
        rc = coact__family_stop(runtime, deadline_ns);
    }
    if (rc < 0) {
        return rc;
    }
    coact__node_stop(runtime, deadline_ns);
    return 0;
}

int
coact_free(struct coact_runtime *runtime)
{
    if (!is_empty(runtime) ||
        !atomic_load_explicit(&runtime->stopping, memory_order_acquire) ||
        coact__pinning_join(&runtime->scheduler, COACT_NOW) < 0 ||
        coact__blocking_await(&runtime->blocking, COACT_NOW) < 0) {
        return -EBUSY;
    }
    coact__blocking_fini(&runtime->blocking);
    coact__family_free(runtime);
    coact__node_free(runtime);
    free_scheduler(runtime);
    pthread_cond_destroy(&runtime->gone);
    pthread_mutex_destroy(&runtime->pump_lock);
    pthread_mutex_destroy(&runtime->lock);
    coact__slots_free(runtime);
    coact__free(runtime);
    return 0;
}
