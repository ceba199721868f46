/*
 * bias.h - a lock that costs its owner two stores, and all others a lot.
 *
 * What a worker queues it takes back itself, millions of times a second, and
 * rarely another takes some of it.  A lock that treats both alike costs the
 * worker two locked operations each time.  This one belongs to its owner: he
 * says that he is inside with a plain store, and looks whether anybody asks.
 * Who asks writes a ticket and makes the kernel order the owner's store before
 * it (membarrier), or gets the owner's answer before that is necessary.
 *
 * Where the kernel has no membarrier the lock is an ordinary spin lock for
 * everybody; so it is under a race detector, which could not follow.
 *
 * "owner" is one thread at a time; "any" is every other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_BIAS_H
#define COACT_RUNTIME_BIAS_H

#include "runtime/spin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define COACT__BIAS_LOCKED UINT32_C(1) /* `asked` of one that is a spin lock */

#define COACT__LIKELY(x) __builtin_expect(!!(x), 1)
#define COACT__UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The padding keeps what the owner writes each time away from what others
   write when they ask. */
struct coact__bias {
    _Atomic uint32_t inside; /* written by the owner: he is */
    bool is_by_lock;         /* the owner's: he came in by `lock` */
    char apart_from_owner[64 - sizeof(uint32_t) - sizeof(bool)];
    _Atomic uint32_t asked;    /* 0, LOCKED, or the ticket of who is inside */
    _Atomic uint32_t answered; /* the last ticket that the owner made way for */
    _Atomic uint32_t tickets;
    _Atomic bool attention; /* the owner is to look up; see ready.h */
    struct coact__spin lock;
    char apart_from_others[64 - 3 * sizeof(uint32_t) - 2 * sizeof(bool)];
};

/* True if bias locks of this process can be biased: asks the kernel, once for
   each scheduler. */
bool coact__bias_is_possible(void);

void coact__bias_init(struct coact__bias *bias, bool is_possible);

/* Somebody asks: make way, or take the lock.  On return we are inside. */
void coact__bias_make_way(struct coact__bias *bias);

/* Keeps the compiler from exchanging E1 and E2; the processor is kept from it by
   the membarrier of who asks. */
static inline void
coact__bias_keep_order(void)
{
    __asm__ volatile("" : : : "memory");
}

/* Enter, and leave.  from owner */
static inline void
coact__bias_enter(struct coact__bias *bias)
{
    atomic_store_explicit(&bias->inside, 1, memory_order_relaxed); // E1
    coact__bias_keep_order();
    if (COACT__UNLIKELY(atomic_load_explicit(&bias->asked,
                                             memory_order_acquire) !=
                        0)) { // E2
        coact__bias_make_way(bias);
    }
}

static inline void
coact__bias_leave(struct coact__bias *bias)
{
    if (COACT__UNLIKELY(bias->is_by_lock)) {
        bias->is_by_lock = false;
        coact__spin_unlock(&bias->lock);
        return;
    }
    atomic_store_explicit(&bias->inside, 0, memory_order_release); // E3
}

/* Get in as somebody else.  False: another asks already, or the owner was
   stopped inside; nothing is held.  May take some 10 us.  from any */
bool coact__bias_take(struct coact__bias *bias);
void coact__bias_give(struct coact__bias *bias);

#endif
