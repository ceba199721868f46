/*
 * runnable.h - what run queues hold, and a chain of it.
 *
 * A runnable is embedded first in a task.  Whoever took it out of a queue owns
 * it, and all its fields, until he puts it into another.  A batch is a chain of
 * them, oldest first: a queue, or some on their way from one queue to the next.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_RUNNABLE_H
#define COACT_RUNTIME_RUNNABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which of those that are ready go first (ready.h). */
enum coact__rank {
    COACT__RANK_PROMPT,  /* it waited for something that has come */
    COACT__RANK_PATIENT, /* it could go on all the time: it has yielded, or it
                            has computed for long without a wait */
    COACT__RANKS
};

/* What a task may add to its role while it sleeps, for whoever wakes it; the
   role is such that the ways of most do not see it (ready.h). */
enum {
    COACT__ROLE_LENT = 0x40,    /* run in the role of who wakes it */
    COACT__ROLE_STAMPED = 0x80, /* write down when it was woken */
    COACT__ROLE_WISHES = COACT__ROLE_LENT | COACT__ROLE_STAMPED,
    /* No wish, but beside the role for the same reason: it has a thread of its
       own (pinned.h).  There whenever it does not run. */
    COACT__ROLE_PINNED = 0x20,
    COACT__ROLE_UNUSUAL = COACT__ROLE_WISHES | COACT__ROLE_PINNED
};

/* So many long runs, one after another, make one patient. */
#define COACT__LONG_RUNS 2

struct coact__pinned;

struct coact__runnable {
    union {
        struct coact__runnable *next; /* inside a batch */
        struct coact__pinned *thread; /* of one that is pinned: it never is in
                                         a batch */
    };
    uint8_t role;              /* index into the scheduler's roles */
    uint8_t rank;              /* enum coact__rank */
    _Atomic uint8_t long_runs; /* one after another; see worker.c.  Relaxed:
                                  the lookout takes a glance at it */
    bool is_fresh;             /* it has not run yet */
    uint32_t ready_at;         /* when it became ready, as coact__stamp_of;
                                  0: nobody wants to know */
};

static inline uint8_t
coact__runnable_long_runs(const struct coact__runnable *r)
{
    return atomic_load_explicit(&r->long_runs, memory_order_relaxed);
}

static inline void
coact__runnable_set_long_runs(struct coact__runnable *r, uint8_t runs)
{
    atomic_store_explicit(&r->long_runs, runs, memory_order_relaxed);
}

/* A time in 32 bits, never 0: in steps of 64 ns, and after 4 minutes again. */
static inline uint32_t
coact__stamp_of(int64_t ns)
{
    uint32_t stamp = (uint32_t)((uint64_t)ns >> 6);
    return stamp + (stamp == 0);
}

/* How long it is since then. */
static inline int64_t
coact__stamp_age_ns(uint32_t stamp, int64_t now_ns)
{
    return (int64_t)(uint32_t)(coact__stamp_of(now_ns) - stamp) << 6;
}

/* All zero is the empty batch. */
struct coact__batch {
    struct coact__runnable *first; /* the oldest */
    struct coact__runnable *last;  /* meaningless while first is NULL */
    uint32_t count;
};

static inline void
coact__batch_append(struct coact__batch *batch, struct coact__runnable *r)
{
    r->next = NULL;
    if (batch->first != NULL) {
        batch->last->next = r;
    } else {
        batch->first = r;
    }
    batch->last = r;
    batch->count++;
}

/* Put all of `more` behind; it is empty afterwards. */
static inline void
coact__batch_append_all(struct coact__batch *batch, struct coact__batch *more)
{
    if (more->first == NULL) {
        return;
    }
    if (batch->first != NULL) {
        batch->last->next = more->first;
    } else {
        batch->first = more->first;
    }
    batch->last = more->last;
    batch->count += more->count;
    *more = (struct coact__batch){0};
}

/* The oldest one, or NULL. */
static inline struct coact__runnable *
coact__batch_pop(struct coact__batch *batch)
{
    struct coact__runnable *r = batch->first;
    if (r != NULL) {
        batch->first = r->next;
        batch->count--;
    }
    return r;
}

#endif
