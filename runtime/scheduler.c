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

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static void *
thread_main(void *arg)
{
    struct coact__worker *worker = arg;
    char name[16];
    snprintf(name, sizeof(name), "coact-w%u", (unsigned)worker->index);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, 1UL); // sleeps end when they should
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    coact__worker_loop(worker);
    coact__altstack_close(&altstack);
    return NULL;
}

static int
init_worker(struct coact__scheduler *scheduler, uint32_t index)
{
    struct coact__worker *worker = &scheduler->workers[index];
    worker->scheduler = scheduler;
    worker->index = index;
    worker->look_every = 1;
    worker->until_look = 1;
    worker->looked_ns = coact__oracle_now_ns();
    coact__blocks_init(&worker->blocks, &scheduler->depot);
    coact__timers_init(&worker->timers, worker->looked_ns);
    coact__runq_init(&worker->queue);
    return coact__parked_init(&worker->parked);
}

static void
fini_worker(struct coact__worker *worker)
{
    while (worker->stack_count > 0) {
        coact__stacks_put(worker->scheduler->stacks[0],
                          &worker->stacks[--worker->stack_count]);
    }
    coact__parked_fini(&worker->parked);
}

static void
free_workers(struct coact__scheduler *scheduler, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fini_worker(&scheduler->workers[i]);
    }
    coact__free(scheduler->workers);
}

static int
new_workers(struct coact__scheduler *scheduler)
{
    scheduler->workers = coact__alloc_zeroed(scheduler->worker_count *
                                             sizeof(struct coact__worker));
    if (scheduler->workers == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        int rc = init_worker(scheduler, i);
        if (rc < 0) {
            free_workers(scheduler, i);
            return rc;
        }
    }
    return 0;
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
    return 0;
}

static void
join_threads(struct coact__scheduler *scheduler, uint32_t count)
{
    atomic_store_explicit(&scheduler->stopping, true, memory_order_release);
    coact__park_wake_all(scheduler);
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(scheduler->workers[i].thread, NULL);
        // Whoever polled last may have read the kick meant for all.
        coact__poller_kick(&scheduler->poller);
    }
}

/* Workers take no signals but their own faults: those are for the host's
   threads. */
static int
start_threads(struct coact__scheduler *scheduler)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // A fault in an actor must find its handler: blocked, it would kill unheard.
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
                                 SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&all, faults[i]);
    }
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 0; rc == 0 && i < scheduler->worker_count; i++) {
        rc = coact__fails()
                 ? EAGAIN
                 : pthread_create(&scheduler->workers[i].thread, NULL,
                                  thread_main, &scheduler->workers[i]);
        if (rc != 0) {
            join_threads(scheduler, i);
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

int
coact__scheduler_start(struct coact__scheduler *scheduler,
                       const struct coact__scheduler_options *options)
{
    memset(scheduler, 0, sizeof(*scheduler));
    scheduler->options = *options;
    scheduler->worker_count = options->host_driven    ? 1
                              : options->workers != 0 ? options->workers
                                                      : coact__cores();
    coact__depot_init(&scheduler->depot);
    coact__blocks_init(&scheduler->shared_blocks, &scheduler->depot);
    coact__census_init(&scheduler->census,
                       options->host_driven ? 0 : scheduler->worker_count);
    int rc = -pthread_mutex_init(&scheduler->shared_lock, NULL);
    if (rc < 0) {
        return rc;
    }
    if ((rc = coact__globalq_init(&scheduler->global)) < 0) {
        goto destroy_shared_lock;
    }
    if ((rc = coact__parking_init(&scheduler->parking)) < 0) {
        goto fini_global;
    }
    if ((rc = coact__poller_init(&scheduler->poller)) < 0) {
        goto fini_parking;
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
    free_workers(scheduler, scheduler->worker_count);
free_stacks:
    free_stacks(scheduler, COACT__STACK_CLASSES);
fini_poller:
    coact__poller_fini(&scheduler->poller);
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
    if (!scheduler->options.host_driven) {
        join_threads(scheduler, scheduler->worker_count);
    }
    free_workers(scheduler, scheduler->worker_count);
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
