/*
 * snapshot_cell.h - where a question and its answer meet, when either side may
 * have gone.
 *
 * A taker asks a thread for its frames.  The handler that answers runs on that
 * thread, some time, or never.  Neither waits for the other in here, and none of
 * it is a system call: whoever calls sleeps and wakes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SNAPSHOT_CELL_H
#define COACT_RUNTIME_SNAPSHOT_CELL_H

#include "runtime/snapshot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Of what runs in the handler: a sanitizer's own state may be what was
   interrupted halfway.  A test that wants to be seen says otherwise. */
#ifndef COACT__UNSEEN
#define COACT__UNSEEN __attribute__((no_sanitize_thread, no_sanitize_address))
#endif

/* The largest thread id that has room in the word; the kernel's are of 22
   bits. */
#define COACT__SNAPSHOT_CELL_TID_MAX ((1 << 28) - 1)

/* All zero is a free one.  It is never freed as memory. */
struct coact__snapshot_cell {
    _Atomic uint32_t state; /* changes when there is an answer: a futex */
    int count;
    uint64_t notes[COACT__SNAPSHOT_NOTES];
    void *frames[COACT__SNAPSHOT_FRAMES];
};

/* The taker's side. */

/* Ask that thread, if the cell is free. */
bool coact__snapshot_cell_ask(struct coact__snapshot_cell *cell, pid_t tid);

/* Is there an answer?  If not, *state is the word while there is none. */
bool coact__snapshot_cell_is_done(struct coact__snapshot_cell *cell,
                                  uint32_t *state);

/* Give up.  False: the answer has just come, look again.  *is_free: the cell
   has become free by this; else the handler frees it. */
bool coact__snapshot_cell_leave(struct coact__snapshot_cell *cell,
                                bool *is_free);

/* The answer is copied; the cell is free. */
void coact__snapshot_cell_release(struct coact__snapshot_cell *cell);

/* The handler's side, safe in one and hidden from sanitizers. */

/* Is this thread asked?  Then count and frames are its to write. */
bool coact__snapshot_cell_begin(struct coact__snapshot_cell *cell, pid_t tid);

/* They are written.  False: nobody wants them any more, the cell is free. */
bool coact__snapshot_cell_finish(struct coact__snapshot_cell *cell, pid_t tid);

#endif
