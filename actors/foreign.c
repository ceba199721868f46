/*
 * foreign.c - threads that are not actors.
 *
 * What a foreign thread may do without waiting it does itself.  To wait for a
 * reply or for an end it lets an actor do so, made for that one call, and waits
 * for that actor.  On a runtime that the host drives, the waiting thread drives
 * it meanwhile, in turns with the host's; since either may run that last actor,
 * its end rings a bell of the waiting thread's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
coact_attach(struct coact_runtime *runtime)
{
    if (runtime == NULL) {
        return coact__misuse(NULL, -EINVAL, "coact_attach", "runtime is NULL");
    }
    struct coact__here *here = coact__here();
    if (here->worker != NULL || here->attached != NULL) {
        return -EBUSY;
    }
    here->attached = runtime;
    return 0;
}

void
coact_detach(void)
{
    coact__here()->attached = NULL;
}

/* ---- An actor for one call ---- */

COACT_SIGNAL(coact_foreign_nothing);
COACT_MAILBOX(coact_foreign, coact_foreign_nothing);

struct job {
    void (*fn)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_begun;
    bool has_ended; /* under lock */
    int bell;       /* an eventfd; -1: nobody polls */
};

static void
end(void *arg)
{
    struct job *job = arg;
    pthread_mutex_lock(&job->lock);
    job->has_ended = true;
    // Under the lock: the waiter may free the job as soon as it is released.
    if (job->bell >= 0) {
        uint64_t one = 1;
        ssize_t put = write(job->bell, &one, sizeof(one)); // the first: fits
        (void)put;
    }
    pthread_cond_signal(&job->ended);
    pthread_mutex_unlock(&job->lock);
}

static void
body(coact_foreign_self self, void *arg)
{
    (void)self;
    struct job *job = arg;
    job->has_begun = true;
    job->fn(job->arg);
}

static bool
has_ended(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    bool ended = job->has_ended;
    pthread_mutex_unlock(&job->lock);
    return ended;
}

static void
drive_until_ended(struct coact_runtime *runtime, struct job *job)
{
    while (!has_ended(job)) {
        coact__drive(runtime, job->bell, COACT_FOREVER);
    }
    // The host's loop may sleep by a deadline that we have made obsolete.
    coact__poller_kick(&runtime->scheduler.poller);
}

static void
wait_until_ended(struct coact_runtime *runtime, struct job *job)
{
    if (runtime->options.host_driven) {
        drive_until_ended(runtime, job);
        return;
    }
    pthread_mutex_lock(&job->lock);
    while (!job->has_ended) {
        pthread_cond_wait(&job->ended, &job->lock);
    }
    pthread_mutex_unlock(&job->lock);
}

static int
make_bell(const struct coact_runtime *runtime, int *bell)
{
    *bell = -1;
    if (!runtime->options.host_driven || coact__oracle_is_simulated()) {
        return 0;
    }
    // Whatever the kernel lacks, to the caller it is memory for one call.
    *bell = coact__fails() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *bell < 0 ? -ENOMEM : 0;
}

int
coact__run_inside(struct coact_runtime *runtime, void (*fn)(void *arg),
                  void *arg)
{
    struct job job = {.fn = fn, .arg = arg};
    int rc = -pthread_mutex_init(&job.lock, NULL);
    if (rc < 0) {
        return rc;
    }
    rc = -pthread_cond_init(&job.ended, NULL);
    if (rc == 0 && (rc = make_bell(runtime, &job.bell)) < 0) {
        pthread_cond_destroy(&job.ended);
    }
    if (rc == 0) {
        coact_foreign_ref ref;
        // The clean-up runs however the actor ends, also before its body ran.
        struct coact_options options = {
            .label = "foreign call", .runtime = runtime, .destroy_arg = end};
        rc = coact__spawn(&coact_foreign_coact_mailbox, (void (*)(void))body,
                          &job, &options, &ref.ref);
        if (rc == 0) {
            wait_until_ended(runtime, &job);
            // Killed before it ran: fn has done nothing.
            rc = job.has_begun ? 0 : -ECANCELED;
        }
        if (job.bell >= 0) {
            close(job.bell);
        }
        pthread_cond_destroy(&job.ended);
    }
    pthread_mutex_destroy(&job.lock);
    return rc;
}
