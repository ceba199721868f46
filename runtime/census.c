/*
 * census.c - the word between parking and waking.
 *
 * Invariants
 *   C1  NEWS is set by strangers only, and cleared by a leaver only, which then
 *       looks at every queue before it tries again, or wakes somebody who does.
 *   C2  A leaver counts itself out only from a word without NEWS, unless it leaves
 *       anyway; the last one out then takes NEWS along, and wakes somebody.
 *   C3  Who sets NEWS in a word that counts nobody, alone wakes a worker; while
 *       NEWS stays set, others need not: that wake-up is under way.
 *
 * Memory orders, by what the pair protects
 *   work    A1 release -> L2, L4 acquire.  The queues as the stranger left them,
 *           for the leaver that looks again, or for whom it wakes.
 *   leave   L3, L4 release -> A1 acquire.  All the leaver did before, its timers'
 *           deadlines for one, for the stranger and for who counts it out later.
 *   join    J1 is relaxed: as a read-modify-write it continues both.
 *   timers  L3, L4 release -> N1 acquire.  The deadlines of those who have left, for
 *           the lookout that sees that nobody is awake (lookout.c).  They are
 *           relaxed atomics of timers.c.
 *   L1 is relaxed: it only feeds the swaps (explained).
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/census.h"

#define NEWS UINT32_C(1)
#define ONE UINT32_C(2)

void
coact__census_init(struct coact__census *census, uint32_t awake)
{
    atomic_init(&census->word, awake * ONE);
}

void
coact__census_join(struct coact__census *census)
{
    atomic_fetch_add_explicit(&census->word, ONE, memory_order_relaxed); // J1
}

bool
coact__census_leave(struct coact__census *census)
{
    uint32_t was =
        atomic_load_explicit(&census->word, memory_order_relaxed); // L1
    for (;;) {
        if ((was & NEWS) != 0) {
            if (atomic_compare_exchange_weak_explicit(
                    &census->word, &was, was & ~NEWS, memory_order_acquire,
                    memory_order_relaxed)) { // L2
                return false;
            }
        } else if (atomic_compare_exchange_weak_explicit(
                       &census->word, &was, was - ONE, memory_order_acq_rel,
                       memory_order_relaxed)) { // L3
            return true;
        }
    }
}

bool
coact__census_leave_anyway(struct coact__census *census)
{
    uint32_t was =
        atomic_load_explicit(&census->word, memory_order_relaxed); // L1
    uint32_t now;
    do {
        now = was - ONE;
        // News that nobody is awake to see would keep strangers from waking.
        now = now == NEWS ? 0 : now;
    } while (!atomic_compare_exchange_weak_explicit(
        &census->word, &was, now, memory_order_acq_rel,
        memory_order_relaxed)); // L4
    return was == (ONE | NEWS);
}

bool
coact__census_announce_from_any(struct coact__census *census)
{
    uint32_t was = atomic_fetch_or_explicit(&census->word, NEWS,
                                            memory_order_acq_rel); // A1
    return was == 0;
}

uint32_t
coact__census_awake(const struct coact__census *census)
{
    return atomic_load_explicit(&census->word, memory_order_acquire) /
           ONE; // N1
}
