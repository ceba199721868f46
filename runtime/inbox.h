/*
 * inbox.h - the one word by which a task is reached: what has arrived for it,
 * and whether it sleeps.
 *
 * Anyone may push a node, or wake the task without one; the task alone takes
 * what arrived, and goes to sleep.  All of it is decided by compare-and-swap on
 * a single word, so nobody can slip between "nothing has arrived" and "it
 * sleeps": no lost wake-up, no fence, no second word (docs/adr/0005).
 *
 * A task sleeps in one of two ways.  *Listening*, any arrival wakes it: it waits
 * for messages.  *Deaf*, messages pile up and only a signal or a wake ends it:
 * it waits for a reply, a time or a descriptor, and a flood of messages must
 * not make it run in vain.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_INBOX_H
#define COACT_RUNTIME_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What can be pushed: embed it, aligned to sixteen bytes.  The node is the
   inbox's until take or close returns it. */
struct coact__inbox_node {
    struct coact__inbox_node *next;
};

struct coact__inbox {
    _Atomic uintptr_t word;
};

enum coact__inbox_flag {
    COACT__INBOX_LISTENING = 1, /* asleep; any arrival wakes */
    COACT__INBOX_DEAF = 2,      /* asleep; signals and wakes only */
    COACT__INBOX_NOTIFIED = 4,  /* awake; must look again before it sleeps */
    COACT__INBOX_CLOSED = 8,    /* its task is dead; takes nothing */
    COACT__INBOX_FLAGS = 15
};

enum coact__inbox_result {
    COACT__INBOX_PUSHED,  /* the task will find it */
    COACT__INBOX_WOKEN,   /* and it slept: the caller, alone, schedules it */
    COACT__INBOX_REFUSED, /* closed; the node is still the caller's */
};

/* End the sleep of a task that listens, and nothing else: true, and the task is
   the caller's, who alone schedules it.  He may leave it a node outside of the
   inbox, for it is older than all that comes after; that saves both sides an
   atomic operation (docs/adr/0014).  A false costs nothing. */
static inline bool coact__inbox_claim(struct coact__inbox *inbox);

/* Put a message in, if its task is awake.  False: push decides. */
static inline bool coact__inbox_push_quickly(struct coact__inbox *inbox,
                                             struct coact__inbox_node *node);

/* By the worker of a task that was switched away from and wants to listen: true,
   it sleeps.  False says nothing: sleep_by_owner decides. */
static inline bool coact__inbox_listen_quickly(struct coact__inbox *inbox);

/* An empty inbox of a task that is awake. */
void coact__inbox_open(struct coact__inbox *inbox);

/* Put a message in.  A deaf task sleeps on. */
enum coact__inbox_result coact__inbox_push(struct coact__inbox *inbox,
                                           struct coact__inbox_node *node);

/* Put a signal in: it ends any sleep, and prevents the next. */
enum coact__inbox_result coact__inbox_signal(struct coact__inbox *inbox,
                                             struct coact__inbox_node *node);

/* End any sleep, or prevent the next, without a node.  True: it slept, and the
   caller, alone, must schedule it. */
bool coact__inbox_wake_from_any(struct coact__inbox *inbox);

/* By the task: take all that has arrived, newest first; NULL if nothing. */
struct coact__inbox_node *
coact__inbox_take_by_owner(struct coact__inbox *inbox);

/* Turn such a list round: oldest first. */
struct coact__inbox_node *
coact__inbox_turn_round(struct coact__inbox_node *newest);

/* By the task, before it looks at all that it is about to wait for: what it was
   woken for so far does not keep it from its next sleep. */
static inline void coact__inbox_look_by_owner(struct coact__inbox *inbox);

/* By the task's worker, after the task was switched away from: sleep, unless
   something came that the sleeper would have to see.  False: it must go on. */
bool coact__inbox_sleep_by_owner(struct coact__inbox *inbox,
                                 enum coact__inbox_flag how);

/* By the task, at its end: refuse what comes from now on, and take the rest,
   oldest first. */
struct coact__inbox_node *
coact__inbox_close_by_owner(struct coact__inbox *inbox);

/* True if nothing has arrived that was not taken.  A hint for others. */
static inline bool coact__inbox_is_empty(const struct coact__inbox *inbox);

/* By the task: has a signal or a wake come that its next sleep has not seen? */
static inline bool
coact__inbox_is_notified(const struct coact__inbox *inbox)
{
    return (atomic_load_explicit(&inbox->word, memory_order_relaxed) &
            COACT__INBOX_NOTIFIED) != 0;
}

static inline void
coact__inbox_look_by_owner(struct coact__inbox *inbox)
{
    if (coact__inbox_is_notified(inbox)) {
        atomic_fetch_and_explicit(&inbox->word,
                                  ~(uintptr_t)COACT__INBOX_NOTIFIED,
                                  memory_order_acquire); // S3
    }
}

static inline bool
coact__inbox_claim(struct coact__inbox *inbox)
{
    uintptr_t listens = COACT__INBOX_LISTENING;
    return atomic_load_explicit(&inbox->word, memory_order_relaxed) ==
               listens &&
           atomic_compare_exchange_strong_explicit(&inbox->word, &listens, 0,
                                                   memory_order_acquire,
                                                   memory_order_relaxed); // A1
}

static inline bool
coact__inbox_push_quickly(struct coact__inbox *inbox,
                          struct coact__inbox_node *node)
{
    uintptr_t was =
        atomic_load_explicit(&inbox->word, memory_order_relaxed); // P3
    if ((was & COACT__INBOX_FLAGS) != 0) {
        return false;
    }
    node->next = (struct coact__inbox_node *)was;
    return atomic_compare_exchange_strong_explicit(
        &inbox->word, &was, (uintptr_t)node, memory_order_acq_rel,
        memory_order_relaxed); // P4
}

static inline bool
coact__inbox_listen_quickly(struct coact__inbox *inbox)
{
    uintptr_t nothing = 0;
    return atomic_compare_exchange_strong_explicit(
        &inbox->word, &nothing, COACT__INBOX_LISTENING, memory_order_release,
        memory_order_relaxed); // S2
}

static inline bool
coact__inbox_is_empty(const struct coact__inbox *inbox)
{
    return (atomic_load_explicit(&inbox->word, memory_order_relaxed) &
            ~(uintptr_t)COACT__INBOX_FLAGS) == 0; // E1
}

#endif
