/*
 * snapshot_cell_stress.c - two takers and a handler at one cell, for the race
 * detector, which is allowed to see them here.
 *
 * SPDX-License-Identifier: MIT
 */
#define COACT__UNSEEN
#include "runtime/snapshot_cell.c"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TID = 41, ROUNDS = 20000 };

static struct coact__snapshot_cell cell;
static atomic_int takers = 2;

static void
take(void)
{
    uint32_t state;
    int patience = 50;
    bool is_free;
    while (!coact__snapshot_cell_is_done(&cell, &state)) {
        if (--patience < 0 && coact__snapshot_cell_leave(&cell, &is_free)) {
            return;
        }
    }
    if (cell.count != 1 || cell.frames[0] != &cell) {
        puts("not so: the frames are whole");
        exit(1);
    }
    coact__snapshot_cell_release(&cell);
}

static void *
taker(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (coact__snapshot_cell_ask(&cell, TID)) {
            take();
        }
    }
    atomic_fetch_sub_explicit(&takers, 1, memory_order_relaxed);
    return arg;
}

static void *
handler(void *arg)
{
    while (atomic_load_explicit(&takers, memory_order_relaxed) > 0) {
        if (coact__snapshot_cell_begin(&cell, TID)) {
            cell.count = 0;
            cell.frames[0] = &cell;
            cell.count = 1;
            (void)coact__snapshot_cell_finish(&cell, TID);
        }
    }
    return arg;
}

int
main(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, i == 0 ? handler : taker, NULL);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}
