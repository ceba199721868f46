/*
 * pinned.c - a thread, its one task, and the end of both.
 *
 *   state     | becomes  | when
 *   asleep    | called   | the task is ready, or will never be started
 *   asleep    | asleep   | a timer is due; what it fires may call
 *   called    | running  | the thread has seen it
 *   running   | asleep   | the task waits; called, if something came meanwhile
 *   running   | leaving  | the task has ended
 *   leaving   | idle     | the thread is joined: by the next that leaves
 *
 * `call` is under the lock of the pinned; of `idle`, `leaving` and the numbers it
 * is that of the pinning.
 *
 * Whenever the task does not run its role has COACT__ROLE_PINNED, so that whoever
 * finds it asleep, and puts it into a queue as he would any other, comes here.
 * It is set before the task is seen to sleep, and goes with the inbox's S2 -> A1;
 * while the task runs, its role is that of its messages.
 *
 * Who calls holds nothing but the lock when the thread goes on: he must not touch
 * the task any more, which may have ended by then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/pinned.h"

#include "runtime/altstack.h"
#include "runtime/demote.h"
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"
#include "runtime/thread.h"
#include "runtime/time.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

enum call {
    CALL_NONE,
    CALL_RUN,
    CALL_OFF /* the task will never be started */
};

struct coact__pinned {
    struct coact__worker worker; /* first */
    struct coact__pinned *next;
    struct coact__pinned *next_idle;
    struct coact__task *task;
    pthread_mutex_t lock;
    enum call call; /* under lock; its bell is that of the worker's parking */
};

bool
coact__worker_is_pinned(const struct coact__worker *worker)
{
    return worker->index >= worker->scheduler->worker_slots;
}

/* ---- Being called ---- */

static void
call(struct coact__pinned *pinned, enum call what)
{
    pthread_mutex_lock(&pinned->lock);
    pinned->call = what;
    pthread_cond_signal(&pinned->worker.parked.wake);
    pthread_mutex_unlock(&pinned->lock);
}

void
coact__pinned_ready(struct coact__task *task)
{
    call(task->runnable.thread, CALL_RUN);
}

void
coact__pinned_catch_up(struct coact__worker *worker)
{
    int64_t now = coact__oracle_now_ns();
    atomic_store_explicit(&worker->looked_ns, now, memory_order_relaxed);
    coact__worker_count(&worker->timers_fired,
                        coact__timers_run(&worker->timers, now));
}

/* Only our own task arms our timers, and it does not run. */
static void
sleep_until(struct coact__pinned *pinned, int64_t wakes_ns)
{
    pthread_cond_t *bell = &pinned->worker.parked.wake;
    if (wakes_ns == INT64_MAX) {
        pthread_cond_wait(bell, &pinned->lock);
    } else {
        struct timespec at = {wakes_ns / 1000000000, wakes_ns % 1000000000};
        (void)pthread_cond_timedwait(bell, &pinned->lock, &at);
    }
}

static enum call
await_call(struct coact__pinned *pinned)
{
    enum call seen = CALL_NONE;
    while (seen == CALL_NONE) {
        coact__pinned_catch_up(&pinned->worker);
        int64_t wakes_ns = coact__timers_next_ns(&pinned->worker.timers);
        pthread_mutex_lock(&pinned->lock);
        if (pinned->call == CALL_NONE) {
            sleep_until(pinned, wakes_ns);
        }
        seen = pinned->call;
        pinned->call = CALL_NONE;
        pthread_mutex_unlock(&pinned->lock);
    }
    return seen;
}

/* ---- Running ---- */

/* One run.  True: the task has ended. */
static bool
run(struct coact__pinned *pinned)
{
    struct coact__worker *worker = &pinned->worker;
    struct coact__task *task = pinned->task;
    bool is_fresh = task->runnable.is_fresh;
    worker->until_look = 1; // it switches to nobody but us
    if (task->context.fcontext == NULL &&
        !coact__worker_prepare(worker, task)) {
        return is_fresh; // one that has run waits for the reserve, and is called
    }
    task->runnable.role &= (uint8_t)~COACT__ROLE_PINNED;
    coact__worker_enter(worker, task);
    coact__context_switch(&worker->context, &task->context, worker);
    coact__worker_set_current(worker, NULL);
    COACT__INVARIANT(worker->left == task);
    task->runnable.role |= COACT__ROLE_PINNED;
    bool has_ended = task->after == COACT__AFTER_END;
    coact__worker_settle(worker);
    return has_ended;
}

static void
serve(struct coact__pinned *pinned)
{
    struct coact__worker *worker = &pinned->worker;
    coact__context_init_thread(&worker->context);
    coact__here()->worker = worker;
    worker->errno_at = coact__errno_here();
    bool goes_on = true;
    while (goes_on) {
        goes_on = await_call(pinned) == CALL_RUN && !run(pinned);
    }
    coact__here()->worker = NULL;
    coact__context_fini(&worker->context);
}

/* ---- The thread ---- */

/* Under the lock. */
static void
put_idle(struct coact__pinning *pinning, struct coact__pinned *pinned)
{
    pinned->next_idle = pinning->idle;
    pinning->idle = pinned;
    pthread_cond_broadcast(&pinning->left);
}

/* The last thing that a thread does; who joins it has also waited for the one
   before. */
static void
leave(struct coact__pinned *pinned)
{
    struct coact__pinning *pinning = &pinned->worker.scheduler->pinning;
    coact__worker_give_stacks(&pinned->worker);
    pthread_mutex_lock(&pinning->lock);
    struct coact__pinned *before = pinning->leaving;
    pinning->leaving = pinned;
    pinning->threads--;
    pthread_cond_broadcast(&pinning->left);
    pthread_mutex_unlock(&pinning->lock);
    if (before != NULL) {
        pthread_join(before->worker.thread, NULL);
        pthread_mutex_lock(&pinning->lock);
        put_idle(pinning, before);
        pthread_mutex_unlock(&pinning->lock);
    }
}

static void *
thread_main(void *arg)
{
    struct coact__pinned *pinned = arg;
    struct coact__worker *worker = &pinned->worker;
    char name[16];
    snprintf(name, sizeof(name), "coact-p%u",
             (unsigned)(worker->index - worker->scheduler->worker_slots));
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, 1UL); // sleeps end when they should
    if (worker->is_demoted && coact__promote_self(worker->policy_before)) {
        worker->is_demoted = false;
    }
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    serve(pinned);
    coact__altstack_close(&altstack);
    leave(pinned);
    return NULL;
}

/* ---- Pinning ---- */

/* Under the lock. */
static struct coact__pinned *
new_pinned(struct coact__scheduler *scheduler)
{
    struct coact__pinning *pinning = &scheduler->pinning;
    struct coact__pinned *pinned = coact__alloc_zeroed(sizeof(*pinned));
    if (pinned == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&pinned->lock, NULL) != 0) {
        goto free_it;
    }
    if (coact__parked_init(&pinned->worker.parked) < 0) {
        goto destroy_lock;
    }
    coact__worker_init(&pinned->worker, scheduler,
                       scheduler->worker_slots + pinning->made);
    coact__ready_init_outlet(&pinned->worker.ready);
    pinning->made++;
    pinned->next = pinning->all;
    pinning->all = pinned;
    return pinned;

destroy_lock:
    pthread_mutex_destroy(&pinned->lock);
free_it:
    coact__free(pinned);
    return NULL;
}

/* Under the lock, which is given up meanwhile: as many have been made as may be,
   and not all of their tasks are there. */
static struct coact__pinned *
await_idle(struct coact__pinning *pinning)
{
    while (pinning->idle == NULL && pinning->leaving == NULL) {
        pthread_cond_wait(&pinning->left, &pinning->lock);
    }
    struct coact__pinned *pinned = pinning->idle;
    if (pinned != NULL) {
        pinning->idle = pinned->next_idle;
        return pinned;
    }
    pinned = pinning->leaving;
    pinning->leaving = NULL;
    pthread_mutex_unlock(&pinning->lock);
    pthread_join(pinned->worker.thread, NULL);
    pthread_mutex_lock(&pinning->lock);
    return pinned;
}

static struct coact__pinned *
take(struct coact__scheduler *scheduler)
{
    struct coact__pinning *pinning = &scheduler->pinning;
    pthread_mutex_lock(&pinning->lock);
    struct coact__pinned *pinned =
        pinning->idle == NULL && pinning->made < pinning->most
            ? new_pinned(scheduler)
            : await_idle(pinning);
    if (pinned != NULL) {
        pinning->threads++;
    }
    pthread_mutex_unlock(&pinning->lock);
    return pinned;
}

static void
give(struct coact__pinned *pinned)
{
    struct coact__pinning *pinning = &pinned->worker.scheduler->pinning;
    pthread_mutex_lock(&pinning->lock);
    pinning->threads--;
    put_idle(pinning, pinned);
    pthread_mutex_unlock(&pinning->lock);
}

int
coact__pin(struct coact__task *task)
{
    if (coact__oracle_is_simulated()) {
        return coact__fails() ? -EAGAIN : 0;
    }
    struct coact__pinned *pinned = take(task->scheduler);
    if (pinned == NULL) {
        return -ENOMEM;
    }
    struct coact__worker *worker = &pinned->worker;
    pinned->task = task;
    pinned->call = CALL_NONE;
    // A thread begins with the policy of its maker, whom the lookout may be about
    // to demote.
    const struct coact__worker *maker = coact__worker_here();
    pthread_mutex_lock(&task->scheduler->parking.lock);
    worker->is_demoted = maker != NULL && maker->is_demoted;
    worker->policy_before = maker != NULL ? maker->policy_before : 0;
    int rc = coact__thread_start(&worker->thread, thread_main, pinned);
    pthread_mutex_unlock(&task->scheduler->parking.lock);
    if (rc < 0) {
        give(pinned);
        return rc;
    }
    task->runnable.thread = pinned;
    task->runnable.role |= COACT__ROLE_PINNED;
    return 0;
}

void
coact__unpin(struct coact__task *task)
{
    if ((task->runnable.role & COACT__ROLE_PINNED) != 0) {
        call(task->runnable.thread, CALL_OFF);
    }
}

/* ---- All of them ---- */

int
coact__pinning_init(struct coact__pinning *pinning, uint32_t most)
{
    *pinning = (struct coact__pinning){.most = most};
    int rc = -pthread_mutex_init(&pinning->lock, NULL);
    if (rc < 0) {
        return rc;
    }
    rc = -pthread_cond_init(&pinning->left, NULL);
    if (rc < 0) {
        pthread_mutex_destroy(&pinning->lock);
    }
    return rc;
}

/* True: none is left.  A thread that has left may be in the destructors of its
   thread-locals, which are the user's and take their time. */
static bool
join_last(struct coact__pinning *pinning)
{
    pthread_mutex_lock(&pinning->lock);
    struct coact__pinned *last = pinning->leaving;
    bool is_over =
        pinning->threads == 0 &&
        (last == NULL || pthread_tryjoin_np(last->worker.thread, NULL) == 0);
    if (is_over && last != NULL) {
        pinning->leaving = NULL;
        put_idle(pinning, last);
    }
    pthread_mutex_unlock(&pinning->lock);
    return is_over;
}

/* A join with a deadline goes by the wall clock, which may be set meanwhile; the
   one by our clock is not known to ThreadSanitizer.  So we look now and then. */
#define LOOK_AGAIN_NS COACT_MS(1)
#define GRACE_NS COACT_MS(50)

int
coact__pinning_join(struct coact__scheduler *scheduler, int64_t deadline_ns)
{
    // Our own part of a thread's end is short, and never a reason to fail.
    int64_t grace_ns = coact__oracle_now_ns() + GRACE_NS;
    deadline_ns = deadline_ns > grace_ns ? deadline_ns : grace_ns;
    while (!join_last(&scheduler->pinning)) {
        if (coact__oracle_now_ns() >= deadline_ns) {
            return -ETIMEDOUT;
        }
        const struct timespec a_while = {.tv_nsec = LOOK_AGAIN_NS};
        nanosleep(&a_while, NULL);
    }
    return 0;
}

void
coact__pinning_fini(struct coact__scheduler *scheduler)
{
    struct coact__pinning *pinning = &scheduler->pinning;
    COACT__INVARIANT(coact__pinning_join(scheduler, COACT_FOREVER) == 0);
    while (pinning->all != NULL) {
        struct coact__pinned *pinned = pinning->all;
        pinning->all = pinned->next;
        coact__timers_fini(&pinned->worker.timers);
        coact__parked_fini(&pinned->worker.parked);
        pthread_mutex_destroy(&pinned->lock);
        coact__free(pinned);
    }
    pthread_cond_destroy(&pinning->left);
    pthread_mutex_destroy(&pinning->lock);
}

void
coact__pinned_each(struct coact__scheduler *scheduler,
                   void (*fn)(void *context,
                              const struct coact__worker *worker),
                   void *context)
{
    struct coact__pinning *pinning = &scheduler->pinning;
    pthread_mutex_lock(&pinning->lock);
    for (struct coact__pinned *p = pinning->all; p != NULL; p = p->next) {
        fn(context, &p->worker);
    }
    pthread_mutex_unlock(&pinning->lock);
}
