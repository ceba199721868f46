/*
 * worker_stack.c - the stack that a task runs on.
 *
 * A task gets a stack at its first run, keeps it while it waits, and gives it
 * back at its end.  What is to be done with one that has been left is done on
 * the stack of who runs next: until then its registers are not saved, and nobody
 * else may have it.
 *
 * Where one ends and the next has not run yet, the next begins on the stack of
 * the one that ended, without a switch.  So such a one is preferred there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/here.h"
#include "runtime/scheduler.h"

#include <stddef.h>
#include <string.h>

#if COACT__ASAN || COACT__TSAN
#define MAY_INHERIT false
#else
#define MAY_INHERIT true
#endif

/* ---- Stacks ---- */

/* Between a worker and all. */
#define MOVED_AT_ONCE (COACT__WORKER_STACKS / 2)

static bool
take_stack(struct coact__worker *worker, struct coact__task *task)
{
    if (task->stack_class == 0) {
        if (worker->stack_count == 0) {
            worker->stack_count = coact__stacks_get_free(
                worker->scheduler->stacks[0], worker->stacks, MOVED_AT_ONCE);
        }
        if (worker->stack_count > 0) {
            task->stack = worker->stacks[--worker->stack_count];
            return true;
        }
    }
    return coact__stacks_get(worker->scheduler->stacks[task->stack_class],
                             &task->stack, NULL) == 0;
}

/* A task that has run before may have clean-ups, and they need a stack: the one
   that is kept for that.  It comes back soon, since who is on it does not wait.
   Acquire and release: the stack, between those who have it. */
static bool
take_reserve(struct coact__worker *worker, struct coact__task *task)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    if (atomic_exchange_explicit(&scheduler->is_reserve_out, true,
                                 memory_order_acquire)) {
        return false;
    }
    task->stack = scheduler->reserve;
    task->stack_class = 0;
    task->on_reserve = true;
    return true;
}

/* Those that have been in use last are kept. */
static void
put_oldest(struct coact__worker *worker)
{
    coact__stacks_put_all(worker->scheduler->stacks[0], worker->stacks,
                          MOVED_AT_ONCE);
    worker->stack_count -= MOVED_AT_ONCE;
    memmove(worker->stacks, worker->stacks + MOVED_AT_ONCE,
            worker->stack_count * sizeof(worker->stacks[0]));
}

static void
give_stack(struct coact__worker *worker, struct coact__task *task)
{
    coact__context_fini(&task->context);
    if (COACT__UNLIKELY(task->on_reserve)) {
        task->on_reserve = false;
        atomic_store_explicit(&worker->scheduler->is_reserve_out, false,
                              memory_order_release);
    } else if (task->stack_class == 0) {
        if (worker->stack_count == COACT__WORKER_STACKS) {
            put_oldest(worker);
        }
        worker->stacks[worker->stack_count++] = task->stack;
    } else {
        coact__stacks_put(worker->scheduler->stacks[task->stack_class],
                          &task->stack);
    }
    task->stack.low = NULL;
}

/* ---- Behind a switch ---- */

static void
fall_asleep(struct coact__worker *worker, struct coact__task *task,
            enum coact__inbox_flag how)
{
    task->runnable.rank =
        coact__runnable_long_runs(&task->runnable) < COACT__LONG_RUNS
            ? COACT__RANK_PROMPT
            : COACT__RANK_PATIENT;
    if (!coact__inbox_sleep_by_owner(&task->inbox, how)) {
        coact__ready_put_next(&worker->ready, &task->runnable);
    }
}

static void
fall_asleep_for_long(struct coact__worker *worker, struct coact__task *task)
{
    bool is_listed = coact__hibernate_list(worker, task);
    fall_asleep(worker, task, COACT__INBOX_LISTENING);
    if (!is_listed) {
        // Release pairs with the acquire of a sweep: it finds the task asleep.
        atomic_store_explicit(&worker->has_drowsy, true, memory_order_release);
    }
}

static void
line_up(struct coact__worker *worker, struct coact__task *task)
{
    task->runnable.rank = COACT__RANK_PATIENT;
    coact__ready_put(&worker->ready, &task->runnable);
}

/* It has ended its run, and has no stack any more. */
static void
settle_bare(struct coact__worker *worker, struct coact__task *task,
            enum coact__after after)
{
    if (after == COACT__AFTER_REST) {
        fall_asleep(worker, task, COACT__INBOX_LISTENING);
    } else if (after == COACT__AFTER_AGAIN) {
        line_up(worker, task);
    } else {
        task->scheduler->options.ended(task);
    }
}

void
coact__worker_settle_left(struct coact__worker *worker,
                          struct coact__task *task)
{
    switch ((enum coact__after)task->after) {
    case COACT__AFTER_LISTEN:
        fall_asleep(worker, task, COACT__INBOX_LISTENING);
        break;
    case COACT__AFTER_DROWSE:
        fall_asleep_for_long(worker, task);
        break;
    case COACT__AFTER_DEAF:
        fall_asleep(worker, task, COACT__INBOX_DEAF);
        break;
    case COACT__AFTER_YIELD:
        line_up(worker, task);
        break;
    case COACT__AFTER_CHANGE:
        coact__ready_put(&worker->ready, &task->runnable);
        break;
    case COACT__AFTER_REST:
    case COACT__AFTER_AGAIN:
    case COACT__AFTER_END:
        give_stack(worker, task);
        settle_bare(worker, task, task->after);
        break;
    }
}

/* ---- The first frames of a stack ---- */

/* Go on on the same stack with a task that needs one: the last one has just
   returned, so nothing of it is left there.  Not where tools tell tasks apart
   by their stacks. */
static bool
can_inherit(const struct coact__task *task, const struct coact__task *heir)
{
    return MAY_INHERIT && heir != NULL && heir->context.fcontext == NULL &&
           heir->stack.low == NULL && !task->on_reserve &&
           heir->stack_class == task->stack_class;
}

static void
inherit(struct coact__worker *worker, struct coact__task *task,
        struct coact__task *heir, enum coact__after after)
{
    heir->stack = task->stack;
    heir->context = task->context;
    heir->runnable.is_fresh = false;
    task->stack.low = NULL;
    task->context = (struct coact__context){0};
    coact__worker_enter(worker, heir);
    settle_bare(worker, task, after);
}

/* The next one as it is: it may have no stack yet. */
static struct coact__task *
next_unprepared(struct coact__worker *worker)
{
    if (--worker->until_look == 0) {
        worker->until_look = 1;
        return NULL;
    }
    return (struct coact__task *)coact__ready_pop_heir(&worker->ready);
}

static void
begin(void *arg, void *pass)
{
    struct coact__task *task = arg;
    coact__worker_settle(pass);
    for (;;) {
        if (COACT__UNLIKELY(task->runnable.ready_at != 0)) {
            coact__delays_note(coact__worker_here(), task);
        }
        enum coact__after after = task->scheduler->options.run(task);
        struct coact__worker *worker = coact__here()->worker;
        struct coact__task *next = next_unprepared(worker);
        if (can_inherit(task, next)) {
            inherit(worker, task, next, after);
            task = next;
            continue;
        }
        if (next != NULL && next->context.fcontext == NULL &&
            !coact__worker_prepare(worker, next)) {
            next = NULL;
        }
        task->after = (uint8_t)after;
        worker->left = task;
        if (next != NULL) {
            coact__worker_enter(worker, next);
        }
        coact__context_switch_final(
            &task->context, next != NULL ? &next->context : &worker->context,
            worker);
    }
}

bool
coact__worker_prepare(struct coact__worker *worker, struct coact__task *task)
{
    if (task->stack.low != NULL) {
        coact__hibernate_end(worker, task);
        return true;
    }
    bool has_run = !task->runnable.is_fresh;
    if (!take_stack(worker, task) && !(has_run && take_reserve(worker, task))) {
        if (has_run) {
            line_up(worker, task); // until the reserve is back
            return false;
        }
        // What it does to end is not done by who runs here.
        struct coact__task *current = coact__worker_current(worker);
        coact__worker_set_current(worker, NULL);
        worker->scheduler->options.no_stack(task);
        coact__worker_set_current(worker, current);
        return false;
    }
    task->runnable.is_fresh = false;
    coact__context_make(&task->context, task->stack.low, task->stack.bytes,
                        begin, task);
    return true;
}
