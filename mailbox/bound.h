/*
 * bound.h - how many messages of users a mailbox takes, and who waits for room.
 *
 * Only what users send is counted; news of the runtime always gets in.  There are
 * never more messages than the bound allows: a sender reserves a place before it
 * sends, and the receiver gives it back when it has taken the message.  Of a
 * large bound it may give several back at once, a sixteenth at most, unless a
 * sender waits.
 *
 * A bound stays with its slot for ever, like the slot itself: a sender that
 * raced with the death of the receiver finds a closed bound, not freed memory.
 * If another actor has the slot by then, the generation tells: a place is only
 * taken from, and given back to, the actor that it was meant for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAILBOX_BOUND_H
#define COACT_MAILBOX_BOUND_H

#include "runtime/spin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__task;

/* A sender that waits: on its stack, on the list only between enter and leave. */
struct coact__bound_waiter {
    struct coact__bound_waiter *next;
    struct coact__task *task;
    _Atomic bool is_listed; /* written under the bound's lock */
};

struct coact__bound {
    _Atomic uint64_t taken; /* generation << 32 | places taken */
    _Atomic uint32_t limit; /* 0: no limit, nothing is counted */
    _Atomic bool has_waiters;
    struct coact__spin lock;
    struct coact__bound_waiter *first; /* under lock; the oldest */
    struct coact__bound_waiter *last;
    bool blocks; /* under lock: who finds it full may wait */
};

/* Set up for a new receiver, before anyone knows its address. */
void coact__bound_open(struct coact__bound *bound, uint32_t generation,
                       uint32_t limit, bool blocks);

/* Reserve a place with the receiver of this generation.  False: it is full; a
   receiver that is gone refuses by itself.  from any */
static inline bool coact__bound_take(struct coact__bound *bound,
                                     uint32_t generation);

/* Give so many places back, and wake as many senders, who have waited longest. */
void coact__bound_give(struct coact__bound *bound, uint32_t generation,
                       uint32_t count);

/* Does a sender wait?  A hint. */
static inline bool
coact__bound_has_waiters(struct coact__bound *bound)
{
    return atomic_load_explicit(&bound->has_waiters, memory_order_relaxed);
}

/* The receiver has died: no more counting, all who wait are woken. */
void coact__bound_close(struct coact__bound *bound);

/* Begin to wait for room: enter, try again, sleep, leave.  False: one does not
   wait here.  leave passes a wake-up that was not needed on to the next. */
bool coact__bound_enter(struct coact__bound *bound,
                        struct coact__bound_waiter *waiter);
void coact__bound_leave(struct coact__bound *bound,
                        struct coact__bound_waiter *waiter, bool got_room);

static inline bool
coact__bound_take(struct coact__bound *bound, uint32_t generation)
{
    uint32_t limit = atomic_load_explicit(&bound->limit, memory_order_acquire);
    if (limit == 0) {
        return true;
    }
    uint64_t taken =
        atomic_load_explicit(&bound->taken, memory_order_seq_cst); // T1
    do {
        if (taken >> 32 != generation) {
            return true;
        }
        if ((uint32_t)taken >= limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &bound->taken, &taken, taken + 1, memory_order_seq_cst,
        memory_order_seq_cst));
    return true;
}

#endif
