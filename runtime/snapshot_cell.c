/*
 * snapshot_cell.c - one word decides who may touch the frames.
 *
 * It holds the thread that is asked, and how far this is:
 *
 *   state   | becomes  | by, when
 *   FREE    | ASKED    | a taker: it wants that thread's frames          (S1)
 *   ASKED   | WALKING  | the handler, on that thread                     (S2)
 *   ASKED   | FREE     | the taker: too late, or the signal was refused  (S6)
 *   WALKING | DONE     | the handler: the frames are there               (S3)
 *   WALKING | LEFT     | the taker: too late; it goes without an answer  (S7)
 *   LEFT    | FREE     | the handler: nobody wants the frames any more   (S4)
 *   DONE    | FREE     | the taker has copied them                       (S5)
 *
 * That no answer is for another's question follows from the thread's id in the
 * word: whoever asks a thread is content with any of its handlers.
 *
 * Memory orders, by what the pair protects
 *   frames  S3 release -> L1 acquire.  What the handler found, for the taker.
 *   frames  S4, S5 release -> S2 acquire.  Who had the cell before, for the
 *           handler that writes to it next.  S1, S6 and S7 stand between and may
 *           be relaxed: an exchange continues what a release began, and a taker
 *           touches nothing before there is an answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/snapshot_cell.h"

/* The state's low bits; the id is above.  FREE has none. */
enum { FREE = 0, ASKED = 1, WALKING = 2, DONE = 3, LEFT = 4, STATE_BITS = 3 };

#define STATE(tid, phase) ((uint32_t)(tid) << STATE_BITS | (phase))
#define PHASE(state) ((state) & ((1U << STATE_BITS) - 1))

bool
coact__snapshot_cell_ask(struct coact__snapshot_cell *cell, pid_t tid)
{
    uint32_t state = FREE;
    return atomic_compare_exchange_strong_explicit(
        &cell->state, &state, STATE(tid, ASKED), memory_order_relaxed,
        memory_order_relaxed); // S1
}

bool
coact__snapshot_cell_is_done(struct coact__snapshot_cell *cell, uint32_t *state)
{
    *state = atomic_load_explicit(&cell->state, memory_order_acquire); // L1
    return PHASE(*state) == DONE;
}

bool
coact__snapshot_cell_leave(struct coact__snapshot_cell *cell, bool *is_free)
{
    uint32_t state = atomic_load_explicit(&cell->state, memory_order_relaxed);
    uint32_t tid = state >> STATE_BITS;
    state = STATE(tid, ASKED);
    *is_free = atomic_compare_exchange_strong_explicit(
        &cell->state, &state, FREE, memory_order_relaxed,
        memory_order_relaxed); // S6
    if (*is_free) {
        return true;
    }
    state = STATE(tid, WALKING);
    return atomic_compare_exchange_strong_explicit(
        &cell->state, &state, STATE(tid, LEFT), memory_order_relaxed,
        memory_order_relaxed); // S7
}

void
coact__snapshot_cell_release(struct coact__snapshot_cell *cell)
{
    atomic_store_explicit(&cell->state, FREE, memory_order_release); // S5
}

COACT__UNSEEN bool
coact__snapshot_cell_begin(struct coact__snapshot_cell *cell, pid_t tid)
{
    uint32_t state = STATE(tid, ASKED);
    return atomic_compare_exchange_strong_explicit(
        &cell->state, &state, STATE(tid, WALKING), memory_order_acquire,
        memory_order_relaxed); // S2
}

COACT__UNSEEN bool
coact__snapshot_cell_finish(struct coact__snapshot_cell *cell, pid_t tid)
{
    uint32_t state = STATE(tid, WALKING);
    if (atomic_compare_exchange_strong_explicit(
            &cell->state, &state, STATE(tid, DONE), memory_order_release,
            memory_order_relaxed)) { // S3
        return true;
    }
    atomic_store_explicit(&cell->state, FREE, memory_order_release); // S4
    return false;
}
