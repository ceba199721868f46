/*
 * snapshot_cell_test.c - takers and handlers at one cell, under every
 * interleaving.
 *
 * A handler comes a few times, asked or not, as signals do.  A taker looks as
 * often as the seed says and then loses patience.  The frames are plain data:
 * whoever touches them must come after who touched them before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#include "runtime/snapshot_cell.c"

enum { TID = 41, ROUNDS = 3 };

static struct coact__snapshot_cell cell;
static int answers;
static int unanswered;

static void
begin(void)
{
    atomic_init(&cell.state, FREE);
    cell.count = 0;
    answers = unanswered = 0;
}

static void
copy_answer(pid_t tid)
{
    interleave_read(&cell.frames);
    INTERLEAVE_CHECK(cell.count == (int)tid);
    answers++;
    coact__snapshot_cell_release(&cell);
}

static void
take(pid_t tid)
{
    uint32_t state;
    uint32_t patience = interleave_draw(4);
    while (!coact__snapshot_cell_is_done(&cell, &state)) {
        bool is_free = false;
        // It is ours: nobody else asks meanwhile.
        INTERLEAVE_CHECK(state >> STATE_BITS == (uint32_t)tid);
        if (patience > 0) {
            patience--;
        } else if (coact__snapshot_cell_leave(&cell, &is_free)) {
            unanswered++;
            return;
        }
    }
    copy_answer(tid);
}

static void
take_some(int self)
{
    for (int i = 0; i < ROUNDS; i++) {
        pid_t tid = TID + (pid_t)interleave_draw(2);
        (void)self;
        if (coact__snapshot_cell_ask(&cell, tid)) {
            take(tid);
        }
    }
}

static void
handle(pid_t tid)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (coact__snapshot_cell_begin(&cell, tid)) {
            interleave_wrote(&cell.frames);
            cell.count = 0;
            interleave_step();
            // Nobody else writes meanwhile.
            INTERLEAVE_CHECK(cell.count == 0);
            cell.count = (int)tid;
            (void)coact__snapshot_cell_finish(&cell, tid);
        }
    }
}

static void
handle_first(int self)
{
    (void)self;
    handle(TID);
}

static void
handle_second(int self)
{
    (void)self;
    handle(TID + 1);
}

/* Whatever happened, the next one can ask. */
static void
cell_is_free(void)
{
    INTERLEAVE_CHECK(atomic_load_explicit(&cell.state, memory_order_relaxed) ==
                     FREE);
    INTERLEAVE_CHECK(answers + unanswered > 0);
}

START_TEST(interleaved_takers_and_handlers_never_share_the_frames)
{
    static const struct interleave_case the_case = {
        .name = "takers and handlers",
        .threads = {{"taker 1", take_some},
                    {"taker 2", take_some},
                    {"handler 1", handle_first},
                    {"handler 2", handle_second}},
        .setup = begin,
        .check = cell_is_free,
    };
    interleave_explore(&the_case);
}
END_TEST

SUITE_MAIN("interleave snapshot_cell",
           interleaved_takers_and_handlers_never_share_the_frames)
