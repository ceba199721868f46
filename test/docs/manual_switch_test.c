/*
 * manual_switch_test.c - the pieces of C in the manual's chapter on switches,
 * whole and run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/watched_log.h"

#include <coact/mutex.h>
#include <coact/no_switch.h>
#include <pthread.h>

/* ---- A region ------------------------------------------------------------ */

struct ledger {
    int64_t cents[10];
    void (*note)(void); /* of a transfer that is half done */
};

static void
transfer(struct ledger *ledger, int from, int to, int64_t cents)
{
    COACT_NO_SWITCH
    {
        ledger->cents[from] -= cents;
        ledger->note(); // a coact_ask in there is a mistake
        ledger->cents[to] += cents;
    }
}

static void
notes_without_a_wait(void)
{
}

static void
notes_with_a_wait(void)
{
    coact_yield();
}

static void
transfers(peer_self self, void *arg)
{
    (void)self;
    transfer(arg, 1, 2, 50);
}

START_TEST(a_transfer_that_waits_in_the_middle_is_found)
{
    struct log_seen seen = {0};
    struct ledger good = {.note = notes_without_a_wait};
    ck_assert_uint_eq(misuses_of(transfers, &good, &seen), 0);
    ck_assert_int_eq(good.cents[2], 50);
    if (!COACT_ABORT_ON_MISUSE) {
        struct ledger bad = {.note = notes_with_a_wait};
        ck_assert_uint_eq(misuses_of(transfers, &bad, &seen), 1);
        ASSERT_SAYS(seen.last, "misuse of yield by culprit: it may suspend "
                               "inside COACT_NO_SWITCH of ");
    }
}
END_TEST

/* ---- A mutex ------------------------------------------------------------- */

/* Of a library that the host's threads use, too. */
struct library {
    pthread_mutex_t lock;
    uint64_t calls;
};

static void
count_call(struct library *library)
{
    coact_mutex_lock(&library->lock);
    library->calls++;
    coact_mutex_unlock(&library->lock);
}

static void
counts(peer_self self, void *arg)
{
    (void)self;
    count_call(arg);
    coact_yield();
}

START_TEST(a_mutex_is_unlocked_before_the_next_wait)
{
    struct log_seen seen = {0};
    struct library library = {.lock = PTHREAD_MUTEX_INITIALIZER};
    ck_assert_uint_eq(misuses_of(counts, &library, &seen), 0);
    ck_assert_uint_eq(library.calls, 1);
}
END_TEST

/* ---- A thread-local ------------------------------------------------------ */

static _Thread_local struct scratch {
    char bytes[256];
} scratch;

__attribute__((noinline)) static struct scratch *
scratch_of_this_thread(void)
{
    struct scratch *p = &scratch;
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static void
scribbles(peer_self self, void *arg)
{
    (void)self;
    snprintf(scratch_of_this_thread()->bytes, sizeof(scratch.bytes), "a");
    coact_yield();
    // Whoever's it is now, it can be written.
    snprintf(scratch_of_this_thread()->bytes, sizeof(scratch.bytes), "b");
    *(bool *)arg = strcmp(scratch_of_this_thread()->bytes, "b") == 0;
}

START_TEST(a_thread_local_is_looked_up_anew)
{
    struct log_seen seen = {0};
    bool is_ours = false;
    ck_assert_uint_eq(misuses_of(scribbles, &is_ours, &seen), 0);
    ck_assert(is_ours);
}
END_TEST

SUITE_MAIN("manual_switch", a_transfer_that_waits_in_the_middle_is_found,
           a_mutex_is_unlocked_before_the_next_wait,
           a_thread_local_is_looked_up_anew)
