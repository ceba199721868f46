/*
 * foreign.c - threads that are not actors.
 *
 * What a foreign thread may do without waiting it does itself.  To wait for a
 * reply or for an end it lets an actor do so, made for that one call, and waits
 * for that actor.  On a runtime that the host drives, the waiting thread drives
 * it meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/here.h"

#include <errno.h>

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
};

static void
end(void *arg)
{
    struct job *job = arg;
    pthread_mutex_lock(&job->lock);
    job->has_ended = true;
    // Under the lock: the waiter may free the job as soon as it is released.
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
        coact__drive(runtime, COACT_FOREVER);
    }
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
        pthread_cond_destroy(&job.ended);
    }
    pthread_mutex_destroy(&job.lock);
    return rc;
}
