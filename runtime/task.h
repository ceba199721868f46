/*
 * task.h - a coroutine that the scheduler runs.
 *
 * A task is woken through its inbox and sleeps by it (inbox.h).  Every wait
 * may end for no reason: whoever waits looks at what it waits for, and waits
 * again.  That makes each source of wake-ups (a message, a timer, a descriptor,
 * a kill) free to wake too often, and none needs to know of the others.
 *
 * A task takes a stack when it first runs, not when it is started.  One that
 * ends a run with COACT__AFTER_REST gives it back, and begins anew, on another
 * stack, when something arrives.  If there is none to be had then, it gets the
 * scheduler's reserve, to end on without a wait.
 *
 * A task's memory is its owner's and must be type-stable: late wake-ups may
 * reach it after its end, and find a closed inbox or a task that looks again
 * and sleeps on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TASK_H
#define COACT_RUNTIME_TASK_H

#include "runtime/context.h"
#include "runtime/hibernate.h"
#include "runtime/inbox.h"
#include "runtime/runnable.h"
#include "runtime/stack.h"
#include "runtime/timers.h"

#include <stdbool.h>
#include <stdint.h>

struct coact__scheduler;
struct coact__worker;

/* What the worker does with a task that has just been switched away from. */
enum coact__after {
    COACT__AFTER_YIELD,  /* at the end of the queue */
    COACT__AFTER_CHANGE, /* to the queue of another role */
    COACT__AFTER_LISTEN, /* asleep, unless something has arrived */
    COACT__AFTER_DROWSE, /* the same, for as long as may be: it may hibernate */
    COACT__AFTER_DEAF,   /* asleep, unless it was woken meanwhile */
    COACT__AFTER_REST,   /* its stack goes back; then as LISTEN */
    COACT__AFTER_AGAIN,  /* its stack goes back; then as YIELD */
    COACT__AFTER_END     /* its stack goes back, and `ended` is called */
};

/* In the order of their use: who wakes a task touches the first cache line. */
struct coact__task {
    struct coact__runnable runnable; /* first */
    struct coact__inbox inbox;
    struct coact__inbox_node *given; /* left by who claimed it; older than what
                                        is in the inbox */
    _Atomic uint64_t whose;          /* the owner's: which use (above) of which
                                        memory (below) this is */
    struct coact__context context;   /* fcontext is NULL while it has no stack,
                                      and while it is hibernated */
    struct coact__stack stack;       /* low is NULL while it has none */
    struct coact__scheduler *scheduler;
    _Atomic bool is_gated; /* the owner's: ask before something is pushed */
    bool on_reserve;       /* this run is its last, and must not wait */
    uint8_t stack_class;   /* set before it first runs */
    uint8_t after;         /* enum coact__after */
    _Atomic uint8_t hibernates; /* enum coact__hibernates; set by itself */
    _Atomic bool is_hibernated; /* a hint for others */
};

/* A task at rest: open, without a stack, not scheduled. */
void coact__task_init(struct coact__task *task,
                      struct coact__scheduler *scheduler, uint8_t role);

/* Schedule a task.  By the one who owns it: whose push, claim or wake found it
   asleep.  from any */
void coact__task_ready(struct coact__task *task);

/* Schedule a task that has never run.  True: the caller should give way to
   those that were made before.  from any */
bool coact__task_start(struct coact__task *task);

/* End its sleep, or prevent the next.  from any */
void coact__task_wake(struct coact__task *task);

/* All that has arrived, newest first, but for what was given, which is older than
   all; NULL if nothing.  By the task itself. */
static inline struct coact__inbox_node *
coact__task_take(struct coact__task *task, struct coact__inbox_node **given)
{
    *given = task->given;
    task->given = NULL;
    return coact__inbox_take_by_owner(&task->inbox);
}

/* How it waits if it listens without a deadline: nothing but the inbox points to
   such a wait. */
static inline enum coact__after
coact__task_listens_for_ever(const struct coact__task *task)
{
    return atomic_load_explicit(&task->hibernates, memory_order_relaxed) ==
                   COACT__HIBERNATES_NEVER
               ? COACT__AFTER_LISTEN
               : COACT__AFTER_DROWSE;
}

/* The same at its end: nothing is let in from then on. */
struct coact__inbox_node *coact__task_close(struct coact__task *task);

/* By the task itself, on its own stack: */
void coact__task_wait(struct coact__task *task, enum coact__inbox_flag how,
                      int64_t deadline_ns);
void coact__task_yield(struct coact__task *task);
/* Go on when it is that role's turn; the time until now is the old one's. */
void coact__task_change_role(struct coact__task *task, uint8_t role);
_Noreturn void coact__task_end(struct coact__task *task);

#endif
