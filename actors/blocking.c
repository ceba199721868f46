/*
 * blocking.c - an actor waits for a job of the pool.
 *
 * The argument changes hands three times: from the actor to the job when that
 * begins, back when it is done, or to nobody when the actor leaves it.  Whoever
 * has it when the call ends otherwise than with 0 destroys it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/blocking.h"

#include "actors/life.h"
#include "actors/switch_check.h"
#include "runtime/blocking.h"

#include <errno.h>
#include <stdio.h>

static void
destroy_argument(void (*destroy)(void *arg), void *arg)
{
    if (destroy != NULL) {
        destroy(arg);
    }
}

static int
check_call(struct coact__actor *actor, void (*fn)(void *arg), const void *arg,
           size_t bytes)
{
    if (fn == NULL) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL,
                             "coact_blocking", "fn is NULL");
    }
    if ((arg == NULL) != (bytes == 0)) {
        return coact__misuse(
            coact__runtime_of(actor), -EINVAL, "coact_blocking",
            "the argument is %p, and has %zu bytes", arg, bytes);
    }
    return 0;
}

/* coact__wait_begin for one that has an argument: destroyed if that does not
   return. */
static int
begin_wait(struct coact__actor *actor, void *arg, void (*destroy)(void *arg))
{
    coact__drain(actor);
    if (actor->stage == COACT__STAGE_TOLD) {
        destroy_argument(destroy, arg);
    }
    return coact__interrupted(actor);
}

/* 0: it is done; else we have left it. */
static int
await_job(struct coact__actor *actor, struct coact__job *job,
          int64_t deadline_ns)
{
    while (!coact__job_is_done(job)) {
        int rc = coact__interrupted(actor);
        if (rc == 0 && coact__has_passed(deadline_ns)) {
            rc = -ETIMEDOUT;
        }
        if (rc < 0 &&
            coact__blocking_leave(&coact__runtime_of(actor)->blocking, job)) {
            return rc;
        }
        if (rc < 0) {
            // Done after all: the next wait is the one to say so.
            if (actor->stage == COACT__STAGE_TOLD) {
                actor->stage = COACT__STAGE_ASKED;
            }
            return 0;
        }
        coact__wait(actor, "blocking", COACT__INBOX_DEAF, deadline_ns);
    }
    return 0;
}

static void
sign(struct coact__job *job, struct coact__actor *actor)
{
    coact_ref self = coact__ref_of(actor);
    snprintf(job->whose, sizeof(job->whose), "%.36s (actor %u.%u)",
             coact__label_of(actor), self.slot, self.generation);
}

/* *has_it: the argument is the job's, or was. */
static int
run_job(struct coact__actor *actor, struct coact__job *job, void *arg,
        int64_t deadline_ns, bool *has_it)
{
    struct coact__blocking *pool = &coact__runtime_of(actor)->blocking;
    sign(job, actor);
    int rc = coact__blocking_begin(pool, job);
    if (rc < 0) {
        coact__job_free(job);
        return rc;
    }
    *has_it = true;
    rc = await_job(actor, job, deadline_ns);
    if (rc == 0) {
        coact__blocking_take(pool, job, arg);
    }
    return rc;
}

int
coact_blocking(void (*fn)(void *arg), void *arg, size_t bytes,
               void (*destroy)(void *arg), int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_blocking");
    if (actor == NULL) {
        destroy_argument(destroy, arg);
        return -EPERM;
    }
    coact__switch_check(actor, "blocking");
    bool has_it = false;
    int rc = check_call(actor, fn, arg, bytes);
    if (rc == 0) {
        rc = begin_wait(actor, arg, destroy);
    }
    if (rc == 0 && coact__has_passed(deadline_ns)) {
        rc = -ETIMEDOUT;
    }
    if (rc == 0) {
        struct coact__job *job =
            coact__job_new(&actor->task, fn, arg, bytes, destroy);
        rc = job != NULL ? run_job(actor, job, arg, deadline_ns, &has_it)
                         : -ENOMEM;
    }
    if (rc < 0 && !has_it) {
        destroy_argument(destroy, arg);
    }
    return rc;
}
