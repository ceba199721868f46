/*
 * gate.h - calls that block until a test opens the gate, so that what happens
 * meanwhile is certain.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_GATE_H
#define COACT_TEST_GATE_H

#include "test/actors/peers.h"

#include <coact/blocking.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define MANY 20

/* ---- The gate ------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_open;
    uint32_t inside, inside_most, entered;
    uint32_t order[MANY]; /* who came in as which */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

__attribute__((unused)) static void
wait_at_gate(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_MS / 1000;
    ck_assert_int_eq(pthread_cond_timedwait(&gate.changed, &gate.lock, &until),
                     0);
}

__attribute__((unused)) static void
enter(uint32_t number)
{
    pthread_mutex_lock(&gate.lock);
    if (gate.entered < MANY) {
        gate.order[gate.entered] = number;
    }
    gate.entered++;
    gate.inside++;
    gate.inside_most =
        gate.inside > gate.inside_most ? gate.inside : gate.inside_most;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.is_open) {
        wait_at_gate();
    }
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

__attribute__((unused)) static void
set_gate(bool is_open)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_open = is_open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

/* By the test's own thread. */
__attribute__((unused)) static void
await_entered(uint32_t count)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.entered < count) {
        wait_at_gate();
    }
    pthread_mutex_unlock(&gate.lock);
}

__attribute__((unused)) static uint32_t
count_entered(void)
{
    pthread_mutex_lock(&gate.lock);
    uint32_t entered = gate.entered;
    pthread_mutex_unlock(&gate.lock);
    return entered;
}

/* ---- A call -------------------------------------------------------------- */

/* What the job works on: a copy. */
struct work {
    uint32_t number, result;
    _Atomic uint32_t *destroyed;
};

__attribute__((unused)) static void
destroy_work(void *arg)
{
    struct work *work = arg;
    atomic_fetch_add_explicit(work->destroyed, 1, memory_order_acq_rel);
}

__attribute__((unused)) static void
do_work(void *arg)
{
    struct work *work = arg;
    enter(work->number);
    work->result = work->number + 1;
}

/* An actor that makes one. */
struct caller {
    struct work work;
    int64_t within_ns; /* 0: for ever */
    _Atomic uint32_t destroyed;
    _Atomic int first_rc, clean_rc;
    _Atomic bool went_on, cleaned;
    peer_ref ref;
};

__attribute__((unused)) static int
call(struct caller *caller)
{
    caller->work.destroyed = &caller->destroyed;
    return coact_blocking(
        do_work, &caller->work, sizeof(caller->work), destroy_work,
        caller->within_ns == 0 ? COACT_FOREVER
                               : coact_in_ns(caller->within_ns));
}

__attribute__((unused)) static void
clean_caller(void *arg)
{
    struct caller *caller = arg;
    caller->cleaned = true;
}

__attribute__((unused)) static void
caller_body(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    ck_assert_int_eq(coact_defer(clean_caller, caller), 0);
    caller->first_rc = call(caller);
    if (caller->first_rc == -ECANCELED) {
        (void)!call(caller); // does not return
        caller->went_on = true;
    }
}

__attribute__((unused)) static void
start_caller(struct caller *caller, uint32_t number)
{
    caller->work.number = number;
    caller->first_rc = 1;
    ck_assert_int_eq(coact_spawn(peer, &caller->ref, caller_body, caller), 0);
}

/* ---- Waiting for what the counters say ----------------------------------- */

__attribute__((unused)) static struct coact_runtime_stats
stats_of(struct coact_runtime *runtime)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    return stats;
}

__attribute__((unused)) static struct coact_runtime *
start_with(uint32_t blocking_threads)
{
    // One worker: an actor that blocked it would stop all others.
    const struct coact_runtime_options options = {
        .workers = 1, .log = log_nothing, .blocking_threads = blocking_threads};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

#endif
