/*
 * scheduler.c - putting the parts together, and taking them apart again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/scheduler.h"

#include "runtime/altstack.h"
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *
thread_main(void *arg)
{
    struct coact__worker *worker = arg;
    char name[16];
    snprintf(name, sizeof(name), "coact-w%u", (unsigned)worker->index);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, 1UL); // sleeps end when they should
    atomic_store_explicit(&worker->tid, gettid(), memory_order_relaxed);
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    coact__snapshot_admit();
    coact__worker_loop(worker);
    coact__altstack_close(&altstack);
    return NULL;
}

void
coact__worker_init(struct coact__worker *worker,
                   struct coact__scheduler *scheduler, uint32_t index)
{
    worker->scheduler = scheduler;
    worker->table = scheduler->options.table;
    worker->index = index;
    worker->look_every = 1;
    worker->until_look = 1;
    int64_t now = coact__oracle_now_ns();
    atomic_init(&worker->looked_ns, now);
    worker->charged_ns = now;
    coact__blocks_init(&worker->blocks, &scheduler->depot);
    coact__timers_init(&worker->timers, now);
    coact__ready_init(&worker->ready, scheduler->is_bias_possible);
}

/* A worker that was never started takes address space only. */
static int
begin_worker(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    uint32_t end = coact__scheduler_workers(scheduler);
    int rc = coact__parked_init(&worker->parked);
    if (rc == 0 && worker->index >= end) {
        // Release pairs with the acquire of coact__scheduler_workers.
        atomic_store_explicit(&scheduler->worker_end, worker->index + 1,
                              memory_order_release);
    }
    return rc;
}

void
coact__worker_give_stacks(struct coact__worker *worker)
{
    coact__stacks_put_all(worker->scheduler->stacks[0], worker->stacks,
                          worker->stack_count);
    worker->stack_count = 0;
}

static void
free_workers(struct coact__scheduler *scheduler)
{
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        coact__timers_fini(&scheduler->workers[i].timers);
        coact__worker_give_stacks(&scheduler->workers[i]);
        coact__parked_fini(&scheduler->workers[i].parked);
    }
    coact__free(scheduler->workers);
    coact__free(scheduler->delays);
}

static int
new_workers(struct coact__scheduler *scheduler)
{
    scheduler->workers = coact__alloc_zeroed(scheduler->worker_slots *
                                             sizeof(struct coact__worker));
    scheduler->delays = coact__alloc_zeroed((size_t)scheduler->worker_slots *
                                            scheduler->roles.count *
                                            sizeof(*scheduler->delays));
    if (scheduler->workers == NULL || scheduler->delays == NULL) {
        coact__free(scheduler->workers);
        coact__free(scheduler->delays);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < scheduler->worker_slots; i++) {
        struct coact__worker *worker = &scheduler->workers[i];
        coact__worker_init(worker, scheduler, i);
        worker->delays = &scheduler->delays[(size_t)i * scheduler->roles.count];
    }
    // The one that a host drives needs no thread.
    int rc = scheduler->options.host_driven
                 ? begin_worker(&scheduler->workers[0])
                 : 0;
    if (rc < 0) {
        coact__free(scheduler->workers);
        coact__free(scheduler->delays);
    }
    return rc;
}

static void
free_stacks(struct coact__scheduler *scheduler, int classes)
{
    for (int i = 0; i < classes; i++) {
        coact__stacks_free(scheduler->stacks[i]);
    }
}

static int
new_stacks(struct coact__scheduler *scheduler)
{
    struct coact__stacks_options options = scheduler->options.stacks;
    size_t bytes =
        options.stack_bytes != 0 ? options.stack_bytes : COACT__STACK_BYTES;
    for (int i = 0; i < COACT__STACK_CLASSES; i++) {
        options.stack_bytes = bytes << (2 * i);
        int rc = coact__stacks_new(&options, &scheduler->stacks[i]);
        if (rc < 0) {
            free_stacks(scheduler, i);
            return rc;
        }
    }
    int rc = coact__stacks_get(scheduler->stacks[0], &scheduler->reserve, NULL);
    if (rc < 0) {
        free_stacks(scheduler, COACT__STACK_CLASSES);
    }
    return rc;
}

/* One after another; nobody starts more once `stopping` is seen. */
static void
join_threads(struct coact__scheduler *scheduler)
{
    struct coact__parking *parking = &scheduler->parking;
    atomic_store_explicit(&scheduler->stopping, true, memory_order_release);
    coact__park_wake_all(scheduler);
    for (uint32_t i = 0; i < scheduler->worker_slots; i++) {
        struct coact__worker *worker = &scheduler->workers[i];
        pthread_mutex_lock(&parking->lock);
        bool was_started = worker->thread_state != COACT__THREAD_NONE;
        pthread_mutex_unlock(&parking->lock);
        if (was_started) {
            pthread_join(worker->thread, NULL);
            // Whoever polled last may have read the kick meant for all.
            coact__poller_kick(&scheduler->poller);
        }
    }
}

/* Workers take no signals but their own faults: those are for the host's
   threads. */
static void
block_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    // A fault in an actor must find its handler: blocked, it would kill unheard.
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
                                 SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, before);
}

int
coact__worker_start(struct coact__worker *worker)
{
    if (worker->thread_state == COACT__THREAD_ENDED) {
        pthread_join(worker->thread, NULL);
        coact__parked_fini(&worker->parked);
        worker->thread_state = COACT__THREAD_NONE;
    }
    int rc = begin_worker(worker);
    if (rc < 0) {
        return rc;
    }
    sigset_t before;
    block_signals(&before);
    rc = coact__fails()
             ? EAGAIN
             : pthread_create(&worker->thread, NULL, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        // A thread begins with the policy of its maker.
        const struct coact__worker *maker = coact__worker_here();
        worker->is_demoted = maker != NULL && maker->is_demoted;
        worker->policy_before = maker != NULL ? maker->policy_before : 0;
        worker->thread_state = COACT__THREAD_RUNS;
        worker->scheduler->parking.threads++;
    }
    return -rc;
}

/* Those that run tasks, and one that keeps the lookout. */
static int
start_threads(struct coact__scheduler *scheduler)
{
    struct coact__parking *parking = &scheduler->parking;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i <= scheduler->worker_count; i++) {
        pthread_mutex_lock(&parking->lock);
        rc = coact__worker_start(&scheduler->workers[i]);
        pthread_mutex_unlock(&parking->lock);
    }
    if (rc < 0) {
        join_threads(scheduler);
    }
    return rc;
}

static uint32_t
worker_slots(const struct coact__scheduler_options *options)
{
    uint32_t count = options->workers != 0 ? options->workers : coact__cores();
    return options->host_driven ? 1 : count + COACT__SPARE_WORKERS;
}

static uint32_t
pinned_most(const struct coact__scheduler_options *options)
{
    uint32_t most = options->pinned_threads;
    return most == 0                          ? COACT__PINNED_THREADS
           : most < COACT__PINNED_THREADS_MAX ? most
                                              : COACT__PINNED_THREADS_MAX;
}

uint32_t
coact__scheduler_slots(const struct coact__scheduler_options *options)
{
    return worker_slots(options) + pinned_most(options);
}

static int
init_roles(struct coact__scheduler *scheduler)
{
    coact__roles_init(&scheduler->roles);
    int rc = 0;
    for (uint32_t i = 0; i < scheduler->options.role_count && rc >= 0; i++) {
        rc = coact__roles_add(&scheduler->roles, &scheduler->options.roles[i]);
    }
    scheduler->options.roles = NULL; // lent for the start only
    return rc < 0 ? rc : 0;
}

static void
set_defaults(struct coact__scheduler_options *options)
{
    options->stand_ins =
        options->stand_ins != 0 ? options->stand_ins : COACT__STAND_INS;
    options->hog_ns = options->hog_ns > 0 ? options->hog_ns : COACT__HOG_NS;
    options->hog_report_ns = options->hog_report_ns > 0 ? options->hog_report_ns
                                                        : COACT__HOG_REPORT_NS;
}

int
coact__scheduler_start(struct coact__scheduler *scheduler,
                       const struct coact__scheduler_options *options)
{
    memset(scheduler, 0, sizeof(*scheduler));
    scheduler->options = *options;
    set_defaults(&scheduler->options);
    int rc = init_roles(scheduler);
    if (rc < 0) {
        return rc;
    }
    scheduler->worker_count = options->host_driven    ? 1
                              : options->workers != 0 ? options->workers
                                                      : coact__cores();
    coact__depot_init(&scheduler->depot);
    coact__blocks_init(&scheduler->shared_blocks, &scheduler->depot);
    coact__census_init(&scheduler->census, 0);
    scheduler->worker_slots = worker_slots(options);
    scheduler->worker_rows = coact__scheduler_slots(options);
    scheduler->is_bias_possible =
        !options->host_driven && coact__bias_is_possible();
    if ((rc = -pthread_mutex_init(&scheduler->shared_lock, NULL)) < 0) {
        return rc;
    }
    if ((rc = coact__globalq_init(&scheduler->global)) < 0) {
        goto destroy_shared_lock;
    }
    if ((rc = coact__parking_init(&scheduler->parking)) < 0) {
        goto fini_global;
    }
    if ((rc = coact__pinning_init(&scheduler->pinning, pinned_most(options))) <
        0) {
        goto fini_parking;
    }
    if ((rc = coact__poller_init(&scheduler->poller)) < 0) {
        goto fini_pinning;
    }
    if ((rc = new_stacks(scheduler)) < 0) {
        goto fini_poller;
    }
    if ((rc = new_workers(scheduler)) < 0) {
        goto free_stacks;
    }
    if (!options->host_driven && (rc = start_threads(scheduler)) < 0) {
        goto free_workers;
    }
    return 0;

free_workers:
    free_workers(scheduler);
free_stacks:
    free_stacks(scheduler, COACT__STACK_CLASSES);
fini_poller:
    coact__poller_fini(&scheduler->poller);
fini_pinning:
    coact__pinning_fini(scheduler);
fini_parking:
    coact__parking_fini(&scheduler->parking);
fini_global:
    coact__globalq_fini(&scheduler->global);
destroy_shared_lock:
    pthread_mutex_destroy(&scheduler->shared_lock);
    return rc;
}

void
coact__scheduler_stop(struct coact__scheduler *scheduler)
{
    coact__pinning_fini(scheduler);
    if (!scheduler->options.host_driven) {
        join_threads(scheduler);
    }
    free_workers(scheduler);
    free_stacks(scheduler, COACT__STACK_CLASSES);
    coact__poller_fini(&scheduler->poller);
    coact__parking_fini(&scheduler->parking);
    coact__globalq_fini(&scheduler->global);
    coact__depot_fini(&scheduler->depot);
    pthread_mutex_destroy(&scheduler->shared_lock);
}

int64_t
coact__scheduler_pump(struct coact__scheduler *scheduler, int64_t deadline_ns)
{
    struct coact__worker *worker = &scheduler->workers[0];
    coact__census_join(&scheduler->census);
    int64_t dispatches = 0;
    do {
        dispatches += coact__worker_run_ready(worker, deadline_ns);
    } while (!coact__census_leave(&scheduler->census));
    if (coact__scheduler_next_ns(scheduler) == 0) {
        coact__poller_kick(&scheduler->poller); // so that the host comes again
    }
    return dispatches;
}

int64_t
coact__scheduler_next_ns(struct coact__scheduler *scheduler)
{
    struct coact__worker *worker = &scheduler->workers[0];
    if (coact__worker_has_queued(worker) ||
        coact__globalq_length(&scheduler->global) > 0) {
        return 0;
    }
    return coact__timers_next_ns(&worker->timers);
}

int64_t
coact__scheduler_next_timer_ns(struct coact__scheduler *scheduler)
{
    int64_t first = INT64_MAX;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        int64_t next = coact__timers_next_ns(&scheduler->workers[i].timers);
        first = next < first ? next : first;
    }
    return first;
}

void *
coact__scheduler_alloc(struct coact__scheduler *scheduler, size_t bytes,
                       uint8_t *size_class)
{
    struct coact__worker *worker = coact__here()->worker;
    if (worker != NULL && worker->scheduler == scheduler) {
        return coact__blocks_alloc(&worker->blocks, bytes, size_class);
    }
    pthread_mutex_lock(&scheduler->shared_lock);
    void *block =
        coact__blocks_alloc(&scheduler->shared_blocks, bytes, size_class);
    pthread_mutex_unlock(&scheduler->shared_lock);
    return block;
}

void
coact__scheduler_free(struct coact__scheduler *scheduler, void *block,
                      uint8_t size_class)
{
    struct coact__worker *worker = coact__here()->worker;
    if (worker != NULL && worker->scheduler == scheduler) {
        coact__blocks_free(&worker->blocks, block, size_class);
        return;
    }
    pthread_mutex_lock(&scheduler->shared_lock);
    coact__blocks_free(&scheduler->shared_blocks, block, size_class);
    pthread_mutex_unlock(&scheduler->shared_lock);
}
