/*
 * ready.h - what one worker is to run: it puts in and takes out, others may
 * take what they find.
 *
 * Four places, because those who wait for a processor do so for different
 * reasons:
 *   slot     the one that was woken last; its message is warm.  Run next, unless
 *            somebody has just ended (coact__ready_pop_heir)
 *   fresh    those that have never run, the newest first: a tree of actors is
 *            walked in depth then, and few of them need a stack at a time.
 *            Thieves take the oldest, which have the most below them
 *   lines    for each role two queues, oldest first: who waited for something
 *            that has come (prompt), before who could go on all the time
 *            (patient)
 * One in COACT__STREAK picks goes the other way round, so that none of them
 * starves behind another; the oldest fresh one has its turn then when its owner
 * says so, which goes by time: each turn is one more branch of a tree.
 *
 * Everything is under a biased lock (bias.h), so nothing is private: whatever a
 * worker has queued others can take, also while it is stuck in an actor.
 *
 * The owner may ask for a sample: the next prompt one that is put in gets a
 * stamp, and its delay is seen when it runs (delays.h).  A task that sleeps may
 * have wishes beside its role.  Both are seen to on the slow way of a put, and
 * the short way needs no test for them: the role is not the one it looks for.
 *
 * Between roles the owner asks roles.h; slot and fresh belong to the role whose
 * turn it is, so in a program with one role that question is never asked.
 *
 * Two kinds of puts are turned away, on the slow ways too: what a thread with
 * one task only (pinned.h) makes ready is not for it to run, so its queue is an
 * outlet, which holds nothing; and such a task itself is for its thread alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_READY_H
#define COACT_RUNTIME_READY_H

#include "runtime/bias.h"
#include "runtime/runnable.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define COACT__ROLES 16
#ifndef COACT__FRESH
#define COACT__FRESH 256u /* a power of two */
#endif
#define COACT__STREAK 61u
#define COACT__STEAL_MOST 256u

struct coact__ready {
    struct coact__bias bias;
    // Written inside, by whoever is there; read by others as a hint (relaxed).
    _Atomic(struct coact__runnable *) slot;
    _Atomic uint32_t length;  /* of lines and fresh, without the slot */
    _Atomic uint32_t waiting; /* bit r: a line of role r has some */
    // Only inside.
    uint32_t streak;
    uint32_t role;   /* whose turn it is; COACT__ROLES: an outlet */
    uint32_t urgent; /* bit r: role r does not wait for the next look */
    uint32_t quick;  /* the role whose tasks need no more than to be put in:
                        that of the turn, or none while a sample is wanted */
    bool is_oldest_due, is_oldest_overdue; /* the owner's */
    uint32_t fresh_first, fresh_end;
    struct coact__runnable *fresh[COACT__FRESH];
    struct coact__batch lines[COACT__ROLES][COACT__RANKS];
};

void coact__ready_init(struct coact__ready *ready, bool is_bias_possible);

/* One that turns all away. */
void coact__ready_init_outlet(struct coact__ready *ready);

/* Schedule what a queue has turned away: task.c.  from any */
void coact__runnable_elsewhere(struct coact__runnable *r);

/* ---- By the owner -------------------------------------------------------- */

/* Next, before all others; who was to be that goes to its line. */
static inline void coact__ready_put_next(struct coact__ready *ready,
                                         struct coact__runnable *r);

/* At the end of its line, or at the end of a batch that holds any. */
static inline void coact__ready_put(struct coact__ready *ready,
                                    struct coact__runnable *r);
void coact__ready_put_all(struct coact__ready *ready,
                          struct coact__batch *batch);

/* One that has never run.  True: there are so many by now that they should get
   a turn before more are made. */
bool coact__ready_put_fresh(struct coact__ready *ready,
                            struct coact__runnable *r);

/* The next of the role whose turn it is; NULL if there is none, or an urgent role
   waits too, or the owner is asked to look up (bias.attention): the loop of the
   worker then sees to it. */
static inline struct coact__runnable *
coact__ready_pop(struct coact__ready *ready);

/* Give the turn to a role; then pop is about it, until one of the urgent ones
   (bit r: role r) has something. */
void coact__ready_turn(struct coact__ready *ready, uint32_t role,
                       uint32_t urgent);

/* Bit r: it has some of role r, in whatever place.  from its owner */
uint32_t coact__ready_roles(struct coact__ready *ready);

/* Stamp the next prompt one. */
static inline void
coact__ready_want_sample(struct coact__ready *ready)
{
    ready->quick = COACT__ROLES; // nobody's; only the owner looks at it
}

/* The oldest fresh one is to have its turn, at the next pick the other way round: where
   they are few, or if it is overdue. */
static inline void
coact__ready_want_oldest(struct coact__ready *ready, bool is_overdue)
{
    ready->is_oldest_due = true;
    ready->is_oldest_overdue |= is_overdue; // until it had its turn
}

/* For simulation: the nth of all, slot and fresh included (n from 0); NULL if
   there are not so many. */
struct coact__runnable *coact__ready_pop_nth(struct coact__ready *ready,
                                             uint32_t n);

/* What a task wished for when it fell asleep, now that it is ready: the role of
   who woke it, a stamp.  By who has it.  from any */
void coact__runnable_wishes(struct coact__runnable *r, uint32_t waker);

/* ---- By others ----------------------------------------------------------- */

/* Move the older half of what the victim has, but for its slot, to our own; how
   many.  from the owner of own */
uint32_t coact__ready_steal(struct coact__ready *own,
                            struct coact__ready *victim);

/* The same of the lines of one role, at least one. */
uint32_t coact__ready_steal_role(struct coact__ready *own,
                                 struct coact__ready *victim, uint32_t role);

/* Take everything, the slot too, to the end of a batch; how many.
   from any but the owner */
uint32_t coact__ready_take_all(struct coact__ready *victim,
                               struct coact__batch *out);

/* The same as take_all by the owner. */
uint32_t coact__ready_give_up_all(struct coact__ready *ready,
                                  struct coact__batch *out);

/* How many there are, more or less.  from any */
static inline uint32_t
coact__ready_length(const struct coact__ready *ready)
{
    return atomic_load_explicit(&ready->length, memory_order_relaxed);
}

static inline bool
coact__ready_has_slot(const struct coact__ready *ready)
{
    return atomic_load_explicit(&ready->slot, memory_order_relaxed) != NULL;
}

static inline uint32_t
coact__ready_waiting(const struct coact__ready *ready)
{
    return atomic_load_explicit(&ready->waiting, memory_order_relaxed);
}

/* ---- Inside: the lock is held -------------------------------------------- */

static inline void
coact__ready_count(struct coact__ready *ready, uint32_t change)
{
    atomic_store_explicit(
        &ready->length,
        atomic_load_explicit(&ready->length, memory_order_relaxed) + change,
        memory_order_relaxed);
}

/* One without wishes. */
static inline void
coact__ready_append(struct coact__ready *ready, struct coact__runnable *r)
{
    coact__batch_append(&ready->lines[r->role][r->rank], r);
    atomic_store_explicit(
        &ready->waiting,
        atomic_load_explicit(&ready->waiting, memory_order_relaxed) |
            UINT32_C(1) << r->role,
        memory_order_relaxed);
    coact__ready_count(ready, 1);
}

static inline void
coact__ready_line_up(struct coact__ready *ready, struct coact__runnable *r)
{
    if (COACT__UNLIKELY((r->role & COACT__ROLE_WISHES) != 0)) {
        coact__runnable_wishes(r, COACT__ROLES); // nobody's message woke it
    }
    coact__ready_append(ready, r);
}

/* One was taken out of a line. */
static inline void
coact__ready_count_out(struct coact__ready *ready, uint32_t role)
{
    const struct coact__batch *lines = ready->lines[role];
    coact__ready_count(ready, (uint32_t)-1);
    if (lines[COACT__RANK_PROMPT].first == NULL &&
        lines[COACT__RANK_PATIENT].first == NULL) {
        atomic_store_explicit(
            &ready->waiting,
            atomic_load_explicit(&ready->waiting, memory_order_relaxed) &
                ~(UINT32_C(1) << role),
            memory_order_relaxed);
    }
}

static inline struct coact__runnable *
coact__ready_from_line(struct coact__ready *ready, enum coact__rank rank)
{
    struct coact__runnable *r =
        coact__batch_pop(&ready->lines[ready->role][rank]);
    if (r != NULL) {
        coact__ready_count_out(ready, ready->role);
    }
    return r;
}

static inline struct coact__runnable *
coact__ready_from_slot(struct coact__ready *ready)
{
    struct coact__runnable *r =
        atomic_load_explicit(&ready->slot, memory_order_relaxed);
    if (r != NULL) {
        atomic_store_explicit(&ready->slot, NULL, memory_order_relaxed);
    }
    return r;
}

static inline struct coact__runnable *
coact__ready_from_fresh(struct coact__ready *ready)
{
    if (ready->fresh_first == ready->fresh_end) {
        return NULL;
    }
    coact__ready_count(ready, (uint32_t)-1);
    return ready->fresh[--ready->fresh_end % COACT__FRESH];
}

/* ---- The owner's fast ways ----------------------------------------------- */

/* Inside: a sample is wanted; stamp this one, if it is one to be stamped. */
void coact__ready_sample(struct coact__ready *ready, struct coact__runnable *r);

/* One with wishes, or that is turned away, or while a sample is wanted. */
void coact__ready_put_slowly(struct coact__ready *ready,
                             struct coact__runnable *r);

/* The rest of them, once the owner has said that he is inside. */
void coact__ready_put_next_slowly(struct coact__ready *ready,
                                  struct coact__runnable *r);
struct coact__runnable *coact__ready_pop_slowly(struct coact__ready *ready);

/* One load tells that nobody asks: then nothing was taken but the word. */
static inline bool
coact__ready_enter_quickly(struct coact__ready *ready)
{
    atomic_store_explicit(&ready->bias.inside, 1, memory_order_relaxed); // E1
    coact__bias_keep_order();
    return atomic_load_explicit(&ready->bias.asked, memory_order_acquire) ==
           0; // E2
}

static inline void
coact__ready_leave_quickly(struct coact__ready *ready)
{
    atomic_store_explicit(&ready->bias.inside, 0, memory_order_release); // E3
}

static inline void
coact__ready_put_next(struct coact__ready *ready, struct coact__runnable *r)
{
    if (COACT__LIKELY(coact__ready_enter_quickly(ready) &&
                      r->role == ready->quick &&
                      !coact__ready_has_slot(ready))) {
        atomic_store_explicit(&ready->slot, r, memory_order_relaxed);
        coact__ready_leave_quickly(ready);
    } else {
        coact__ready_put_next_slowly(ready, r);
    }
}

static inline void
coact__ready_put(struct coact__ready *ready, struct coact__runnable *r)
{
    if (COACT__UNLIKELY(ready->quick != ready->role ||
                        (r->role & COACT__ROLE_UNUSUAL) != 0)) {
        coact__ready_put_slowly(ready, r);
        return;
    }
    coact__bias_enter(&ready->bias);
    coact__ready_append(ready, r);
    coact__bias_leave(&ready->bias);
}

/* Where one has just ended: a fresh one goes before the slot then, as long as no line
   has anybody.  It can have the stack as it is; and children that end one after
   another wake their parent once. */
struct coact__runnable *coact__ready_pop_heir(struct coact__ready *ready);

static inline struct coact__runnable *
coact__ready_pop(struct coact__ready *ready)
{
    if (COACT__LIKELY(coact__ready_enter_quickly(ready))) {
        struct coact__runnable *r =
            atomic_load_explicit(&ready->slot, memory_order_relaxed);
        if (COACT__LIKELY(r != NULL &&
                          (coact__ready_waiting(ready) & ready->urgent) == 0 &&
                          !atomic_load_explicit(&ready->bias.attention,
                                                memory_order_relaxed) &&
                          ready->streak < COACT__STREAK - 1)) {
            atomic_store_explicit(&ready->slot, NULL, memory_order_relaxed);
            ready->streak++;
            coact__ready_leave_quickly(ready);
            return r;
        }
    }
    return coact__ready_pop_slowly(ready);
}

#endif
