/*
 * crowd.h - many threads, a clock and a machine, inside of one thread.
 *
 * A simulated thread is a coroutine with a clock of its own.  Every atomic
 * operation, every call of pthread.h and every piece of work moves the clock of
 * who does it, by an amount that the seed draws; whoever is furthest behind
 * goes on.  So the threads run side by side, as on a machine with a core for
 * each, and the seed decides who is first wherever two meet.  Memory is
 * sequentially consistent: weaker orders are the business of test/interleave.
 *
 * The files under test are compiled once more with shim.h included before them.
 *
 * Now and then, as often as the seed says, a thread loses its processor: for
 * some nanoseconds mostly, for some milliseconds at times.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_CROWD_H
#define COACT_TEST_CROWD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What the threads of a run have done to the machine. */
struct crowd_counts {
    uint64_t steps;   /* atomic operations and the like */
    uint64_t polls;   /* sleeps in the poller, also those of no length */
    uint64_t kicks;   /* of the poller */
    uint64_t signals; /* of a condition on which somebody slept */
    uint64_t starts;  /* of threads */
    uint64_t barriers;
};

/* Begin a run: the caller is its first thread.  Where it is calm no thread loses
   its processor.  `idle` is called whenever no thread runs, before time jumps to
   the end of the first sleep. */
void crowd_begin(uint64_t seed, bool is_calm, void (*idle)(void));

/* End it; all threads but the caller have ended. */
void crowd_end(struct crowd_counts *counts);

/* A claim of the run has failed: end the test, and say which seed it was. */
_Noreturn void crowd_fail(const char *claim, const char *file, int line);
#define CROWD_CHECK(claim)                                                     \
    do {                                                                       \
        if (!(claim)) {                                                        \
            crowd_fail(#claim, __FILE__, __LINE__);                            \
        }                                                                      \
    } while (0)

/* A thread that is none of the scheduler's; pthread_join waits for it. */
pthread_t crowd_start(void *(*body)(void *arg), void *arg);
void crowd_join(pthread_t thread);

/* Wait until every other thread waits for ever. */
void crowd_wait_until_quiet(void);

/* Call it, while nothing takes time. */
void crowd_look(void (*check)(void));

/* Compute, or sleep, for so long. */
void crowd_work(int64_t ns);
void crowd_sleep(int64_t ns);

int64_t crowd_now_ns(void);
const struct crowd_counts *crowd_counted(void);

/* One of 0 .. n-1, by the seed. */
uint32_t crowd_draw(uint32_t n);

/* ---- What shim.h puts in place of the real ones ---- */

void crowd_step(void);
void crowd_pause(void);
int crowd_yield(void);
void crowd_barrier(void);
int crowd_has_barrier(void);
bool crowd_weak_fails(void);

static inline int
crowd_nothing(const volatile void *object)
{
    (void)object;
    return 0;
}
int crowd_mutex_init(pthread_mutex_t *mutex);
int crowd_mutex_lock(pthread_mutex_t *mutex);
int crowd_mutex_unlock(pthread_mutex_t *mutex);
int crowd_cond_signal(pthread_cond_t *cond);
int crowd_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int crowd_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                         const struct timespec *until);
int crowd_thread_create(pthread_t *out, void *(*body)(void *arg), void *arg);

#endif
