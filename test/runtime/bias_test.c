/*
 * bias_test.c - the biased lock as it really is, with the kernel's barrier.
 *
 * What happens between threads is tested one step at a time in test/interleave,
 * and with its memory orders broken in test/weaken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/bias.h"
#include "runtime/oracle.h"
#include "test/support/suite.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define LIMIT_NS INT64_C(5000000000)

static struct coact__bias bias;

static bool
is_biased(void)
{
    return atomic_load_explicit(&bias.asked, memory_order_relaxed) !=
           COACT__BIAS_LOCKED;
}

static void
must_be_outside(void)
{
    ck_assert_uint_eq(bias.inside, 0);
    ck_assert(!bias.is_by_lock);
    ck_assert(!bias.lock.held);
    ck_assert_uint_eq(bias.asked, is_biased() ? 0 : COACT__BIAS_LOCKED);
}

/* ---- one thread after another ---- */

static void *
take_and_give(void *arg)
{
    bool *taken = arg;
    *taken = coact__bias_take(&bias);
    if (*taken) {
        coact__bias_give(&bias);
    }
    return NULL;
}

static bool
another_gets_in(void)
{
    pthread_t thread;
    bool taken = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, take_and_give, &taken), 0);
    pthread_join(thread, NULL);
    return taken;
}

static void
come_and_go(bool is_possible)
{
    coact__bias_init(&bias, is_possible);
    must_be_outside();
    for (int i = 0; i < 1000; i++) {
        coact__bias_enter(&bias);
        coact__bias_leave(&bias);
    }
    must_be_outside();
    for (int i = 0; i < 10; i++) {
        ck_assert(another_gets_in());
        coact__bias_enter(&bias);
        coact__bias_leave(&bias);
        must_be_outside();
    }
}

START_TEST(bias_lets_owner_and_others_in_by_turns)
{
    come_and_go(coact__bias_is_possible());
}
END_TEST

START_TEST(bias_by_lock_lets_owner_and_others_in_by_turns)
{
    come_and_go(false);
    ck_assert(!is_biased());
}
END_TEST

/* ---- who does not come out is not waited for ---- */

START_TEST(bias_does_not_wait_for_an_owner_who_is_stopped_inside)
{
    if (!coact__bias_is_possible()) {
        return;
    }
    coact__bias_init(&bias, true);
    coact__bias_enter(&bias);
    ck_assert(!another_gets_in());
    coact__bias_leave(&bias);
    ck_assert(another_gets_in());
    must_be_outside();
}
END_TEST

START_TEST(bias_does_not_wait_for_another_who_asks)
{
    if (!coact__bias_is_possible()) {
        return;
    }
    coact__bias_init(&bias, true);
    // As if we were not the owner.
    ck_assert(coact__bias_take(&bias));
    ck_assert(!another_gets_in());
    coact__bias_give(&bias);
    ck_assert(another_gets_in());
    must_be_outside();
}
END_TEST

/* Tickets are even, and neither the free one nor LOCKED, also when they wrap. */
START_TEST(bias_tickets_may_wrap_around)
{
    if (!coact__bias_is_possible()) {
        return;
    }
    coact__bias_init(&bias, true);
    atomic_init(&bias.tickets, UINT32_MAX - 3);
    for (int i = 0; i < 5; i++) {
        ck_assert(coact__bias_take(&bias));
        uint32_t asked = bias.asked;
        ck_assert_uint_ne(asked, 0);
        ck_assert_uint_eq(asked % 2, 0);
        coact__bias_give(&bias);
    }
    must_be_outside();
}
END_TEST

/* ---- real threads ---- */

enum { ASKERS = 3, TAKES = 3000, ENTRIES_A_BURST = 50 };

static long inside_data; /* plain: the lock must order it */
static _Atomic int askers;
static _Atomic long taken;

static void *
ask_all_the_time(void *arg)
{
    (void)arg;
    long mine = 0;
    int64_t end = coact__oracle_now_ns() + LIMIT_NS;
    while (mine < TAKES && coact__oracle_now_ns() < end) {
        if (coact__bias_take(&bias)) {
            inside_data++;
            mine++;
            coact__bias_give(&bias);
        }
        sched_yield();
    }
    atomic_fetch_add(&taken, mine);
    atomic_fetch_sub(&askers, 1);
    return NULL;
}

/* An owner who is sometimes inside and sometimes far away. */
static long
enter_until_all_have_taken(void)
{
    long entries = 0;
    while (atomic_load(&askers) > 0) {
        for (int i = 0; i < ENTRIES_A_BURST; i++) {
            coact__bias_enter(&bias);
            inside_data++;
            entries++;
            coact__bias_leave(&bias);
        }
        sched_yield();
    }
    return entries;
}

static void
with_threads(bool is_possible)
{
    pthread_t threads[ASKERS];
    coact__bias_init(&bias, is_possible);
    inside_data = 0;
    atomic_init(&askers, ASKERS);
    atomic_init(&taken, 0);
    for (int i = 0; i < ASKERS; i++) {
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, ask_all_the_time, NULL), 0);
    }
    long entries = enter_until_all_have_taken();
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    // Nobody was kept out for ever, and nobody was inside with another.
    ck_assert_int_eq(taken, ASKERS * TAKES);
    ck_assert_int_eq(inside_data, entries + taken);
    must_be_outside();
}

START_TEST(bias_keeps_threads_apart_and_lets_all_in)
{
    with_threads(coact__bias_is_possible());
}
END_TEST

START_TEST(bias_by_lock_keeps_threads_apart_and_lets_all_in)
{
    with_threads(false);
}
END_TEST

SUITE_MAIN("bias", bias_lets_owner_and_others_in_by_turns,
           bias_by_lock_lets_owner_and_others_in_by_turns,
           bias_does_not_wait_for_an_owner_who_is_stopped_inside,
           bias_does_not_wait_for_another_who_asks,
           bias_tickets_may_wrap_around,
           bias_keeps_threads_apart_and_lets_all_in,
           bias_by_lock_keeps_threads_apart_and_lets_all_in)
