/*
 * task.c - how a task goes to sleep, and how it is scheduled again.
 *
 * A task becomes visible as asleep only after it has been switched away from:
 * it says in `after` what it wants, switches to its worker's loop, and the loop
 * puts it to sleep (worker.c).  Otherwise somebody could resume it on a stack
 * that is still in use.
 *
 * errno belongs to the task: it is saved around each switch, and looked up anew
 * after it, since the thread may be another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/task.h"

#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <stddef.h>

static void
ring(struct coact__timer *alarm)
{
    coact__task_wake(
        (struct coact__task *)((char *)alarm -
                               offsetof(struct coact__task, alarm)));
}

void
coact__task_init(struct coact__task *task, struct coact__scheduler *scheduler)
{
    // Member by member: whoever still holds an old address may be pushing, and
    // must find the inbox closed until it is open.
    task->runnable = (struct coact__runnable){0};
    task->scheduler = scheduler;
    task->context = (struct coact__context){0};
    task->stack = (struct coact__stack){0};
    task->alarm = (struct coact__timer){.fire = ring};
    task->stack_class = 0;
    task->after = 0;
    coact__inbox_open(&task->inbox);
}

static void
put_in_ring(struct coact__worker *worker, struct coact__runnable *runnable)
{
    struct coact__batch overflow = {0};
    if (!coact__runq_push(&worker->queue, runnable, &overflow)) {
        coact__globalq_push_batch(&worker->scheduler->global, &overflow);
    }
}

void
coact__task_ready(struct coact__task *task)
{
    struct coact__scheduler *scheduler = task->scheduler;
    struct coact__worker *worker = coact__here()->worker;
    if (worker == NULL || worker->scheduler != scheduler) {
        coact__globalq_push(&scheduler->global, &task->runnable);
        coact__park_announce(scheduler);
        return;
    }
    if (worker->current == NULL) {
        put_in_ring(worker, &task->runnable); // a timer's or a descriptor's
        return;
    }
    // The one woken last runs next, on what is warm; acq_rel pairs with whoever
    // takes from the slot: the task as its waker left it.
    struct coact__runnable *before = atomic_exchange_explicit(
        &worker->next, &task->runnable, memory_order_acq_rel);
    if (before != NULL) {
        put_in_ring(worker, before);
    }
}

void
coact__task_wake(struct coact__task *task)
{
    if (coact__inbox_wake_from_any(&task->inbox)) {
        coact__task_ready(task);
    }
}

/* Leave our stack for the loop of the worker that runs us. */
static void
leave(struct coact__task *task, enum coact__after after)
{
    struct coact__worker *worker = coact__here()->worker;
    COACT__INVARIANT(worker != NULL && worker->current == task);
    int saved = *coact__errno_here();
    task->after = (uint8_t)after;
    coact__context_switch(&task->context, &worker->context, NULL);
    *coact__errno_here() = saved;
}

void
coact__task_wait(struct coact__task *task, enum coact__inbox_flag how,
                 int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        leave(task, how == COACT__INBOX_LISTENING ? COACT__AFTER_LISTEN
                                                  : COACT__AFTER_DEAF);
        return;
    }
    coact__timer_arm(&coact__here()->worker->timers, &task->alarm, deadline_ns);
    leave(task, how == COACT__INBOX_LISTENING ? COACT__AFTER_LISTEN
                                              : COACT__AFTER_DEAF);
    coact__timer_cancel(&task->alarm);
}

void
coact__task_yield(struct coact__task *task)
{
    leave(task, COACT__AFTER_YIELD);
}

void
coact__task_end(struct coact__task *task)
{
    struct coact__worker *worker = coact__here()->worker;
    COACT__INVARIANT(worker != NULL && worker->current == task);
    task->after = COACT__AFTER_END;
    coact__context_switch_final(&task->context, &worker->context, NULL);
}
