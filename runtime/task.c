/*
 * task.c - how a task goes to sleep, and how it is scheduled again.
 *
 * A task becomes visible as asleep only after it has been switched away from:
 * it says in `after` what it wants and switches away, and whoever runs next puts
 * it to sleep (coact__worker_settle).  Otherwise somebody could resume it on a
 * stack that is still in use.
 *
 * It switches directly to the next task where there is one: going by the loop
 * would be a second switch, and its stack a second set of cache lines.
 *
 * errno belongs to the task: it is saved around each switch, and looked up anew
 * after it, since the thread may be another.  The worker behind a switch is the
 * one that the switch passes, for the same reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/task.h"

#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <stddef.h>

void
coact__task_init(struct coact__task *task, struct coact__scheduler *scheduler,
                 uint8_t role)
{
    // Member by member: whoever still holds an old address may be pushing, and
    // must find the inbox closed until it is open.
    task->runnable.next = NULL;
    task->runnable.role = role;
    task->runnable.rank = COACT__RANK_PROMPT;
    coact__runnable_set_long_runs(&task->runnable, 0);
    task->runnable.is_fresh = true;
    task->given = NULL;
    task->scheduler = scheduler;
    task->context = (struct coact__context){0};
    task->stack = (struct coact__stack){0};
    task->stack_class = 0;
    task->after = 0;
    atomic_store_explicit(&task->hibernates, COACT__HIBERNATES_NEVER,
                          memory_order_relaxed);
    atomic_store_explicit(&task->is_hibernated, false, memory_order_relaxed);
    task->on_reserve = false;
    coact__inbox_open(&task->inbox);
}

/* The worker of this scheduler that this thread is, or NULL. */
static struct coact__worker *
worker_here(struct coact__scheduler *scheduler)
{
    struct coact__worker *worker = coact__worker_here();
    return worker != NULL && worker->scheduler == scheduler ? worker : NULL;
}

/* The role of the task that runs here, which is the waker's; none: COACT__ROLES. */
static uint32_t
role_here(struct coact__scheduler *scheduler)
{
    struct coact__worker *worker = worker_here(scheduler);
    const struct coact__task *waker =
        worker != NULL ? coact__worker_current(worker) : NULL;
    return waker != NULL ? waker->runnable.role : COACT__ROLES;
}

void
coact__runnable_elsewhere(struct coact__runnable *r)
{
    struct coact__task *task = (struct coact__task *)r;
    // Once it is there it may run, end, and be another already.
    struct coact__scheduler *scheduler = task->scheduler;
    coact__runnable_wishes(r, role_here(scheduler));
    if ((r->role & COACT__ROLE_PINNED) != 0) {
        coact__pinned_ready(task);
        return;
    }
    coact__globalq_push(&scheduler->global, r);
    coact__park_announce(scheduler);
}

void
coact__task_ready(struct coact__task *task)
{
    struct coact__worker *worker = worker_here(task->scheduler);
    if (worker == NULL) {
        coact__runnable_elsewhere(&task->runnable);
    } else if (coact__worker_current(worker) == NULL) {
        // A timer's or a descriptor's: there is no message that is warm.
        coact__ready_put(&worker->ready, &task->runnable);
    } else {
        coact__ready_put_next(&worker->ready, &task->runnable);
    }
}

bool
coact__task_start(struct coact__task *task)
{
    struct coact__worker *worker = worker_here(task->scheduler);
    if (worker != NULL && coact__worker_current(worker) != NULL &&
        task->runnable.rank == COACT__RANK_PATIENT) {
        return coact__ready_put_fresh(&worker->ready, &task->runnable);
    }
    if (worker != NULL) {
        coact__ready_put(&worker->ready, &task->runnable);
    } else {
        coact__runnable_elsewhere(&task->runnable);
    }
    return false;
}

void
coact__task_wake(struct coact__task *task)
{
    if (coact__inbox_wake_from_any(&task->inbox)) {
        coact__task_ready(task);
    }
}

struct coact__inbox_node *
coact__task_close(struct coact__task *task)
{
    struct coact__inbox_node *given = task->given;
    struct coact__inbox_node *rest = coact__inbox_close_by_owner(&task->inbox);
    if (given == NULL) {
        return rest;
    }
    task->given = NULL;
    given->next = rest;
    return given;
}

/* ---- Leaving ---- */

static struct coact__worker *
worker_of_current(const struct coact__task *task)
{
    struct coact__worker *worker = coact__worker_here();
    COACT__INVARIANT(worker != NULL && coact__worker_current(worker) == task);
    return worker;
}

/* The deadline of a wait; its timer is on the stack of who waits, which stays until
   it is cancelled. */
static void
ring(struct coact__timer *timer)
{
    struct coact__task *task = timer->subject;
    // Nobody has touched it since it fell asleep, and it runs soon.
    coact__context_fetch(&task->context);
    coact__task_wake(task);
}

void
coact__task_wait(struct coact__task *task, enum coact__inbox_flag how,
                 int64_t deadline_ns)
{
    struct coact__worker *worker = worker_of_current(task);
    if (deadline_ns == INT64_MAX) {
        coact__task_leave_noted(worker, task,
                                how == COACT__INBOX_LISTENING
                                    ? coact__task_listens_for_ever(task)
                                    : COACT__AFTER_DEAF,
                                NULL);
        return;
    }
    struct coact__timer alarm = {.fire = ring, .subject = task};
    coact__timer_arm(&worker->timers, &alarm, deadline_ns);
    worker = coact__task_leave(
        worker, task,
        how == COACT__INBOX_LISTENING ? COACT__AFTER_LISTEN : COACT__AFTER_DEAF,
        NULL);
    if (coact__timer_cancel(&alarm)) {
        coact__task_note_delay(worker, task);
    } else {
        coact__delays_note_late(worker, task, deadline_ns);
    }
}

void
coact__task_yield(struct coact__task *task)
{
    coact__task_leave_noted(worker_of_current(task), task, COACT__AFTER_YIELD,
                            NULL);
}

void
coact__task_change_role(struct coact__task *task, uint8_t role)
{
    struct coact__worker *worker = worker_of_current(task);
    coact__roles_use(&task->scheduler->roles, role);
    task->runnable.role = role;
    coact__task_leave_noted(worker, task, COACT__AFTER_CHANGE, NULL);
}

void
coact__task_end(struct coact__task *task)
{
    struct coact__worker *worker = worker_of_current(task);
    struct coact__context *to =
        coact__task_leave_for(worker, task, COACT__AFTER_END, NULL);
    coact__context_switch_final(&task->context, to, worker);
}
