/*
 * census_stress.c - a worker and a stranger on a census, for the race detector.
 *
 * In rounds: the stranger brings an item and announces it; the worker leaves,
 * or finds out that there is news.  What each wrote before is plain data, and
 * the census alone orders it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/census.c"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 20000 };

static struct coact__census census;
static pthread_barrier_t round_ends;
/* Apart, so that the detector forgets neither for the other. */
static _Alignas(64) int item;
static _Alignas(64) int timers;

static void
must(bool claim, const char *what)
{
    if (!claim) {
        printf("not so: %s\n", what);
        exit(1);
    }
}

static void *
stranger(void *arg)
{
    int *woke = arg;
    for (int round = 0; round < ROUNDS; round++) {
        item = round;
        *woke = coact__census_announce_from_any(&census);
        if (*woke) {
            must(timers == round, "what the leaver did is seen");
        }
        pthread_barrier_wait(&round_ends);
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

int
main(void)
{
    pthread_t thread;
    int woke = 0;
    pthread_barrier_init(&round_ends, NULL, 2);
    coact__census_init(&census, 1);
    pthread_create(&thread, NULL, stranger, &woke);
    for (int round = 0; round < ROUNDS; round++) {
        timers = round;
        bool has_left = coact__census_leave(&census);
        if (!has_left) {
            must(item == round, "the news is there");
        }
        pthread_barrier_wait(&round_ends);
        must(woke == has_left, "who announces to nobody is told");
        coact__census_init(&census, 1);
        pthread_barrier_wait(&round_ends);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&round_ends);
    return 0;
}
