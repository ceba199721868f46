/*
 * bias_stress.c - an owner and two who ask, for the race detector.
 *
 * The lock is biased here, though the runtime's is not under a race detector:
 * each of the orders that pass data from one to the next is a pair that the
 * detector knows; what it cannot know, that two are not inside at once, is
 * counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/bias.c"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASKERS = 2, TAKES = 20000 };

static struct coact__bias bias;
/* Apart, so that the detector forgets none for another. */
static _Alignas(64) long inside_data;
static _Alignas(64) _Atomic int askers = ASKERS;
static _Alignas(64) _Atomic long taken;

int64_t
coact__oracle_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

bool
coact__oracle_is_simulated(void)
{
    return false;
}

static void *
asker(void *arg)
{
    (void)arg;
    long mine = 0;
    while (mine < TAKES) {
        if (coact__bias_take(&bias)) {
            inside_data++;
            mine++;
            coact__bias_give(&bias);
        }
        sched_yield();
    }
    // Relaxed: nothing of ours but the lock may pass anything to the owner.
    atomic_fetch_add_explicit(&taken, mine, memory_order_relaxed);
    atomic_fetch_sub_explicit(&askers, 1, memory_order_relaxed);
    return NULL;
}

int
main(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
                0) != 0) {
        return 0; // the interleaving tests have to do
    }
    pthread_t threads[ASKERS];
    coact__bias_init(&bias, true);
    for (int i = 0; i < ASKERS; i++) {
        pthread_create(&threads[i], NULL, asker, NULL);
    }
    long entries = 0;
    while (atomic_load_explicit(&askers, memory_order_relaxed) > 0) {
        coact__bias_enter(&bias);
        inside_data++;
        entries++;
        coact__bias_leave(&bias);
        if (entries % 64 == 0) {
            sched_yield(); // so that they also meet an owner who is away
        }
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    if (inside_data != entries + taken) {
        printf("%ld were inside, and %ld were counted\n", entries + taken,
               inside_data);
        return 1;
    }
    return 0;
}
