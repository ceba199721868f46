/*
 * spin.h - a lock for a few instructions.
 *
 * For sections of tens of nanoseconds that never wait, call out, or switch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SPIN_H
#define COACT_RUNTIME_SPIN_H

#include "runtime/held.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

struct coact__spin {
    _Atomic bool held;
};

/* The interleaving tests have one of their own: who spins lets others go on. */
#ifndef coact__pause
static inline void
coact__pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
#endif

#define COACT__SPIN_TURNS 64
#define COACT__SPIN_YIELDS 16

/* A holder that was demoted gets nothing from who yields: only who sleeps lets it
   run. */
static inline void
coact__spin_give_way(unsigned times)
{
    if (times < COACT__SPIN_YIELDS) {
        sched_yield();
    } else {
        const struct timespec nap = {0, 50000};
        nanosleep(&nap, NULL);
    }
}

static inline void
coact__spin_lock(struct coact__spin *lock)
{
    // Acquire pairs with the release of unlock: what the last holder wrote.
    unsigned turns = 0;
    while (atomic_exchange_explicit(&lock->held, true, memory_order_acquire)) {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed)) {
            // The holder may have lost its processor; spinning on would keep it.
            if (++turns % COACT__SPIN_TURNS == 0) {
                coact__spin_give_way(turns / COACT__SPIN_TURNS);
            }
            coact__pause();
        }
    }
}

/* False: somebody holds it. */
static inline bool
coact__spin_try(struct coact__spin *lock)
{
    return !atomic_load_explicit(&lock->held, memory_order_relaxed) &&
           !atomic_exchange_explicit(&lock->held, true, memory_order_acquire);
}

static inline void
coact__spin_unlock(struct coact__spin *lock)
{
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

#if COACT_ABORT_ON_MISUSE
#define coact__spin_try(lock)                                                  \
    (coact__spin_try(lock) && (coact__held_take(__FILE__, __LINE__), true))
#define coact__spin_lock(lock)                                                 \
    (coact__spin_lock(lock), coact__held_take(__FILE__, __LINE__))
#define coact__spin_unlock(lock) (coact__held_give(), coact__spin_unlock(lock))
#endif

#endif
