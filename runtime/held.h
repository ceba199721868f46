/*
 * held.h - no lock of the runtime is held across a switch.
 *
 * Whoever held one would take it along to another thread, or leave it locked
 * for as long as an actor sleeps.  In builds whose runtimes abort at a misuse
 * (the debug preset) each thread counts the spin locks and mutexes that the
 * library holds on it; a switch with one held, and a call that may wait, abort
 * and name the place where it was taken.  Other builds have nothing of this.
 *
 * The spin locks count themselves (spin.h), the calls of pthread.h are counted
 * by held_mutex.h, which those builds put before every file of the library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_HELD_H
#define COACT_RUNTIME_HELD_H

/* What one thread holds. */
struct coact__held {
    unsigned count;
    int line; /* of the one taken last */
    const char *file;
};

#if COACT_ABORT_ON_MISUSE

void coact__held_take(const char *file, int line);
void coact__held_give(void);

/* Count a mutex if `rc`, of pthread.h, says that it is locked now; returns rc. */
int coact__held_if(int rc, const char *file, int line);

/* Abort if this thread holds any, saying what is being done. */
void coact__held_check(const char *doing);

/* What this thread holds does not count, until it is put back. */
struct coact__held coact__held_set_aside(void);
void coact__held_put_back(struct coact__held held);

#else

static inline void
coact__held_check(const char *doing)
{
    (void)doing;
}

static inline struct coact__held
coact__held_set_aside(void)
{
    return (struct coact__held){0};
}

static inline void
coact__held_put_back(struct coact__held held)
{
    (void)held;
}

#endif
#endif
