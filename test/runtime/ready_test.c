/*
 * ready_test.c - what a worker is to run: in which order, for whom, and how much
 * of it others get.
 *
 * Most are run twice, with a biased lock and with an ordinary one.  What happens
 * between threads is in test/interleave.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/ready.h"
#include "runtime/roles.h"
#include "test/support/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 2048 };

static struct coact__runnable items[ITEMS];
static struct coact__ready ready;
static struct coact__ready other;

static void
begin(bool is_biased)
{
    bool is_possible = is_biased && coact__bias_is_possible();
    memset(items, 0, sizeof(items));
    coact__ready_init(&ready, is_possible);
    coact__ready_init(&other, is_possible);
}

/* A test that is run twice. */
#define BOTH_WAYS(name)                                                        \
    static void name##_as(bool is_biased);                                     \
    START_TEST(name)                                                           \
    {                                                                          \
        name##_as(true);                                                       \
        name##_as(false);                                                      \
    }                                                                          \
    END_TEST                                                                   \
    static void name##_as(bool is_biased)

/* ---- short words for what all of them do ---- */

static void
put(int i)
{
    coact__ready_put(&ready, &items[i]);
}

static void
put_patient(int i)
{
    items[i].rank = COACT__RANK_PATIENT;
    coact__ready_put(&ready, &items[i]);
}

static void
put_next(int i)
{
    coact__ready_put_next(&ready, &items[i]);
}

static bool
put_fresh(int i)
{
    items[i].is_fresh = true;
    return coact__ready_put_fresh(&ready, &items[i]);
}

static int
number_of(const struct coact__runnable *r)
{
    return r == NULL ? -1 : (int)(r - items);
}

static int
pop(void)
{
    return number_of(coact__ready_pop(&ready));
}

static void
must_count(struct coact__ready *which, uint32_t length, bool has_slot,
           uint32_t waiting)
{
    ck_assert_uint_eq(coact__ready_length(which), length);
    ck_assert_int_eq(coact__ready_has_slot(which), has_slot);
    ck_assert_uint_eq(coact__ready_waiting(which), waiting);
}

static void
must_be_empty(struct coact__ready *which)
{
    must_count(which, 0, false, 0);
    ck_assert_ptr_null(coact__ready_pop(which));
}

static void
must_hold(struct coact__batch *batch, int i)
{
    ck_assert_int_eq(number_of(coact__batch_pop(batch)), i);
}

/* ---- in which order ---- */

BOTH_WAYS(ready_runs_who_was_woken_last_then_the_prompt_the_fresh_the_patient)
{
    begin(is_biased);
    must_be_empty(&ready);
    put_patient(0);
    put_patient(1);
    ck_assert(!put_fresh(2));
    ck_assert(!put_fresh(3));
    put(4);
    put(5);
    put_next(6);
    must_count(&ready, 6, true, 1);
    const int order[] = {6, 4, 5, 3, 2, 0, 1};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        ck_assert_int_eq(pop(), order[i]);
    }
    must_be_empty(&ready);
}

BOTH_WAYS(ready_has_a_fresh_heir_unless_somebody_waits_in_a_line)
{
    begin(is_biased);
    (void)put_fresh(0);
    (void)put_fresh(1);
    put_next(2);
    ck_assert_int_eq(number_of(coact__ready_pop_heir(&ready)), 1);
    put(3);
    ck_assert_int_eq(number_of(coact__ready_pop_heir(&ready)), 2);
    ck_assert_int_eq(pop(), 3);
    atomic_store(&ready.bias.attention, true);
    ck_assert_ptr_null(coact__ready_pop_heir(&ready));
    atomic_store(&ready.bias.attention, false);
    ck_assert_int_eq(pop(), 0);
}

BOTH_WAYS(ready_sends_who_was_next_to_its_line_when_another_is)
{
    begin(is_biased);
    put(0);
    put_next(1);
    items[1].rank = COACT__RANK_PATIENT;
    put_next(2);
    put_next(3);
    must_count(&ready, 3, true, 1);
    ck_assert_int_eq(pop(), 3);
    ck_assert_int_eq(pop(), 0);
    ck_assert_int_eq(pop(), 2);
    ck_assert_int_eq(pop(), 1);
    must_be_empty(&ready);
}

static uint32_t picks;

/* One is always next; at the end of the streak another is picked before it. */
static void
must_pick_at_end_of_streak(int expected)
{
    int got;
    do {
        if (!coact__ready_has_slot(&ready)) {
            put_next(10);
        }
        got = pop();
        ck_assert(++picks % COACT__STREAK == 0 || got == 10);
    } while (picks % COACT__STREAK != 0);
    ck_assert_int_eq(got, expected);
}

BOTH_WAYS(ready_picks_the_other_way_round_once_in_a_streak)
{
    begin(is_biased);
    picks = 0;
    put_patient(0);
    put_fresh(1);
    put_fresh(2);
    put(3);
    must_pick_at_end_of_streak(0);
    must_pick_at_end_of_streak(3);
    coact__ready_want_oldest(&ready, false);
    must_pick_at_end_of_streak(1);
    must_pick_at_end_of_streak(10);
    ck_assert_int_eq(pop(), 2);
}

/* ---- fresh ones ---- */

BOTH_WAYS(ready_tells_a_spawner_when_many_have_never_run)
{
    begin(is_biased);
    for (uint32_t i = 0; i + 1 < COACT__FRESH; i++) {
        ck_assert(!put_fresh((int)i));
    }
    ck_assert(put_fresh(COACT__FRESH - 1));
    // No room: at the end of those that can be waited for.
    ck_assert(put_fresh(COACT__FRESH));
    ck_assert_int_eq(items[COACT__FRESH].rank, COACT__RANK_PATIENT);
    must_count(&ready, COACT__FRESH + 1, false, 1);
    for (uint32_t i = 1; i < COACT__STREAK; i++) {
        ck_assert_int_eq(pop(), (int)(COACT__FRESH - i));
    }
    ck_assert_int_eq(pop(), (int)COACT__FRESH); // the other way round
    ck_assert(!put_fresh(COACT__FRESH + 1));
    // Of many the oldest has no turn unless it is overdue.
    for (uint32_t i = 0; i < 2 * COACT__STREAK; i++) {
        coact__ready_want_oldest(&ready, i == COACT__STREAK);
        ck_assert_int_eq(pop() == 0, i + 1 == 2 * COACT__STREAK);
    }
}

BOTH_WAYS(ready_fresh_positions_may_wrap_around)
{
    begin(is_biased);
    ready.fresh_first = ready.fresh_end = UINT32_MAX - 1;
    put_fresh(0);
    put_fresh(1);
    put_fresh(2);
    ck_assert_int_eq(pop(), 2);
    ck_assert_int_eq(pop(), 1);
    ck_assert_int_eq(pop(), 0);
}

/* ---- roles ---- */

static void
set_role(int i, uint8_t role)
{
    items[i].role = role;
}

BOTH_WAYS(ready_gives_only_those_of_the_role_whose_turn_it_is)
{
    begin(is_biased);
    set_role(1, 3);
    set_role(2, 3);
    put(0);
    put(1);
    put_next(2); // not ours: to its line
    must_count(&ready, 3, false, 1u << 0 | 1u << 3);
    ck_assert_int_eq(pop(), 0);
    ck_assert_int_eq(pop(), -1);
    coact__ready_turn(&ready, 3, 0);
    ck_assert_int_eq(pop(), 1);
    ck_assert_int_eq(pop(), 2);
    must_be_empty(&ready);
}

BOTH_WAYS(ready_turn_moves_the_next_and_the_fresh_to_their_lines)
{
    begin(is_biased);
    put_fresh(0);
    put_fresh(1);
    put_next(2);
    set_role(3, 1);
    put_fresh(3); // not of this turn: to its line
    must_count(&ready, 3, true, 1u << 1);
    coact__ready_turn(&ready, 1, 0);
    must_count(&ready, 4, false, 1u << 0 | 1u << 1);
    ck_assert_int_eq(items[0].rank, COACT__RANK_PATIENT);
    ck_assert_int_eq(pop(), 3);
    ck_assert_int_eq(pop(), -1);
    coact__ready_turn(&ready, 0, 0);
    ck_assert_int_eq(pop(), 2); // prompt
    ck_assert_int_eq(pop(), 0); // in the order of their making
    ck_assert_int_eq(pop(), 1);
    must_be_empty(&ready);
}

BOTH_WAYS(ready_stops_as_soon_as_an_urgent_role_has_something)
{
    begin(is_biased);
    set_role(2, 5);
    put(0);
    put(1);
    coact__ready_turn(&ready, 0, 1u << 5);
    ck_assert_int_eq(pop(), 0);
    put(2);
    ck_assert_int_eq(pop(), -1);
    must_count(&ready, 2, false, 1u << 0 | 1u << 5);
    coact__ready_turn(&ready, 5, 0);
    ck_assert_int_eq(pop(), 2);
    coact__ready_turn(&ready, 0, 1u << 5);
    ck_assert_int_eq(pop(), 1);
    must_be_empty(&ready);
}

BOTH_WAYS(ready_stops_when_its_worker_is_to_look_up)
{
    begin(is_biased);
    put(0);
    put_next(1);
    atomic_store_explicit(&ready.bias.attention, true, memory_order_relaxed);
    ck_assert_int_eq(pop(), -1);
    must_count(&ready, 1, true, 1);
    atomic_store_explicit(&ready.bias.attention, false, memory_order_relaxed);
    ck_assert_int_eq(pop(), 1);
    ck_assert_int_eq(pop(), 0);
}

/* ---- what others get ---- */

BOTH_WAYS(ready_thief_gets_the_older_half_of_each_place_but_not_the_next)
{
    begin(is_biased);
    for (int i = 0; i < 5; i++) {
        put(i); // 0 1 2 are the older half
    }
    for (int i = 5; i < 9; i++) {
        put_patient(i); // 5 6
    }
    for (int i = 9; i < 12; i++) {
        put_fresh(i); // 9 10
    }
    put_next(12);
    ck_assert_uint_eq(coact__ready_steal(&other, &ready), 7);
    must_count(&other, 7, false, 1);
    must_count(&ready, 5, true, 1);
    const int stolen[] = {0, 1, 2, 10, 9, 5, 6};
    for (size_t i = 0; i < sizeof(stolen) / sizeof(stolen[0]); i++) {
        ck_assert_int_eq(number_of(coact__ready_pop(&other)), stolen[i]);
    }
    const int left[] = {12, 3, 4, 11, 7, 8};
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        ck_assert_int_eq(pop(), left[i]);
    }
    must_be_empty(&ready);
    must_be_empty(&other);
    ck_assert_uint_eq(coact__ready_steal(&other, &ready), 0);
}

BOTH_WAYS(ready_thief_leaves_one_that_is_next)
{
    begin(is_biased);
    put_next(0);
    ck_assert_uint_eq(coact__ready_steal(&other, &ready), 0);
    must_count(&ready, 0, true, 0);
    put(1);
    ck_assert_uint_eq(coact__ready_steal(&other, &ready), 1);
    must_count(&ready, 0, true, 0);
    ck_assert_int_eq(number_of(coact__ready_pop(&other)), 1);
    ck_assert_int_eq(pop(), 0);
}

BOTH_WAYS(ready_thief_takes_no_more_of_a_line_than_can_be_walked_quickly)
{
    begin(is_biased);
    for (int i = 0; i < ITEMS; i++) {
        put(i);
    }
    ck_assert_uint_eq(coact__ready_steal(&other, &ready), COACT__STEAL_MOST);
    must_count(&ready, ITEMS - COACT__STEAL_MOST, false, 1);
    ck_assert_int_eq(pop(), (int)COACT__STEAL_MOST);
}

BOTH_WAYS(ready_thief_gets_some_of_every_role)
{
    begin(is_biased);
    for (int i = 0; i < COACT__ROLES; i++) {
        set_role(i, (uint8_t)i);
        put(i);
    }
    must_count(&ready, COACT__ROLES, false, (1u << COACT__ROLES) - 1);
    ck_assert_uint_eq(coact__ready_steal(&other, &ready), COACT__ROLES);
    must_be_empty(&ready);
    must_count(&other, COACT__ROLES, false, (1u << COACT__ROLES) - 1);
    for (int i = 0; i < COACT__ROLES; i++) {
        coact__ready_turn(&other, (uint32_t)i, 0);
        ck_assert_int_eq(number_of(coact__ready_pop(&other)), i);
    }
    must_be_empty(&other);
}

BOTH_WAYS(ready_can_be_taken_whole_the_next_one_too)
{
    begin(is_biased);
    struct coact__batch all = {0};
    ck_assert_uint_eq(coact__ready_take_all(&ready, &all), 0);
    set_role(4, 2);
    put_patient(0);
    put_fresh(1);
    put_next(2);
    put(3);
    put(4);
    ck_assert_uint_eq(coact__ready_take_all(&ready, &all), 5);
    must_be_empty(&ready);
    ck_assert_uint_eq(all.count, 5);
    const int order[] = {3, 2, 4, 0, 1}; // the prompt, then the patient
    for (int i = 0; i < 5; i++) {
        must_hold(&all, order[i]);
    }
    put_next(5);
    ck_assert_uint_eq(coact__ready_take_all(&ready, &all), 1);
    must_hold(&all, 5);
    must_be_empty(&ready);
}

BOTH_WAYS(ready_gives_up_all_and_takes_a_batch_back_in_its_order)
{
    begin(is_biased);
    struct coact__batch all = {0};
    ck_assert_uint_eq(coact__ready_give_up_all(&ready, &all), 0);
    put_next(0);
    put(1);
    put_fresh(2);
    ck_assert_uint_eq(coact__ready_give_up_all(&ready, &all), 3);
    must_be_empty(&ready);
    coact__ready_put_all(&ready, &all);
    ck_assert_ptr_null(all.first);
    must_count(&ready, 3, false, 1);
    ck_assert_int_eq(pop(), 1);
    ck_assert_int_eq(pop(), 0);
    ck_assert_int_eq(pop(), 2);
}

BOTH_WAYS(ready_pops_the_nth_of_all_for_simulation)
{
    begin(is_biased);
    set_role(4, 1);
    put(0);
    put(1);
    put_patient(2);
    put_next(3);
    put(4);
    put_fresh(5);
    ck_assert_ptr_null(coact__ready_pop_nth(&ready, 6));
    must_count(&ready, 6, false, 1u << 0 | 1u << 1);
    ck_assert_int_eq(number_of(coact__ready_pop_nth(&ready, 5)), 4);
    ck_assert_int_eq(number_of(coact__ready_pop_nth(&ready, 1)), 1);
    ck_assert_int_eq(number_of(coact__ready_pop_nth(&ready, 1)), 3);
    ck_assert_int_eq(number_of(coact__ready_pop_nth(&ready, 0)), 0);
    ck_assert_int_eq(number_of(coact__ready_pop_nth(&ready, 1)), 5);
    ck_assert_int_eq(number_of(coact__ready_pop_nth(&ready, 0)), 2);
    must_be_empty(&ready);
    put(1); // and the line is whole
    put(2);
    ck_assert_int_eq(pop(), 1);
}

/* ---- real threads ---- */

/* Many more go through than there are: each is put again when all were had. */
enum { THIEVES = 3, THROUGH = 2000000 };
#define ROUNDS (THROUGH / ITEMS)

struct thief {
    _Alignas(64) struct coact__ready own;
    _Atomic uint64_t count;
    bool adopts;
};

static struct thief thieves[THIEVES];
static uint32_t had[ITEMS]; /* plain: whoever holds it may write */
static _Atomic bool is_over;

static void
have(struct coact__runnable *r)
{
    had[r - items]++;
}

static void *
thief_main(void *arg)
{
    struct thief *self = arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        struct coact__runnable *r;
        uint64_t n = 0;
        if (self->adopts) {
            struct coact__batch all = {0};
            (void)coact__ready_take_all(&ready, &all);
            for (; (r = coact__batch_pop(&all)) != NULL; n++) {
                have(r);
            }
        } else {
            (void)coact__ready_steal(&self->own, &ready);
            for (; (r = coact__ready_pop(&self->own)) != NULL; n++) {
                have(r);
            }
        }
        // Release, for the owner that counts: it puts them again.
        atomic_store_explicit(
            &self->count,
            atomic_load_explicit(&self->count, memory_order_relaxed) + n,
            memory_order_release);
        sched_yield();
    }
    return NULL;
}

static uint64_t
count_stolen(void)
{
    uint64_t n = 0;
    for (int i = 0; i < THIEVES; i++) {
        n += atomic_load_explicit(&thieves[i].count, memory_order_acquire);
    }
    return n;
}

static uint64_t
own_round(void)
{
    uint64_t n = 0;
    struct coact__runnable *r;
    for (int i = 0; i < ITEMS; i++) {
        items[i] = (struct coact__runnable){.rank = (uint8_t)(i / 7 % 2)};
        if (i % 3 == 0) {
            put_next(i);
        } else if (i % 5 == 0) {
            (void)put_fresh(i);
        } else {
            put(i);
        }
        if (i % 2 == 0 && (r = coact__ready_pop(&ready)) != NULL) {
            have(r);
            n++;
        }
    }
    for (; (r = coact__ready_pop(&ready)) != NULL; n++) {
        have(r);
    }
    return n;
}

static void
with_thieves(bool is_possible)
{
    pthread_t threads[THIEVES];
    begin(is_possible);
    memset(had, 0, sizeof(had));
    atomic_init(&is_over, false);
    for (int i = 0; i < THIEVES; i++) {
        coact__ready_init(&thieves[i].own, is_possible);
        atomic_init(&thieves[i].count, 0);
        thieves[i].adopts = i == 0;
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, thief_main, &thieves[i]), 0);
    }
    uint64_t own = 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        own += own_round();
        while (own + count_stolen() < round * ITEMS) {
            sched_yield();
        }
        ck_assert_uint_eq(own + count_stolen(), round * ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            if (had[i] != round) {
                ck_abort_msg("item %d was had %u times in %u rounds", i, had[i],
                             (unsigned)round);
            }
        }
    }
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (int i = 0; i < THIEVES; i++) {
        pthread_join(threads[i], NULL);
        must_be_empty(&thieves[i].own);
    }
    must_be_empty(&ready);
    ck_assert_uint_gt(count_stolen(), 0);
}

START_TEST(ready_every_item_is_had_once_by_somebody)
{
    with_thieves(coact__bias_is_possible());
}
END_TEST

START_TEST(ready_by_lock_every_item_is_had_once_by_somebody)
{
    with_thieves(false);
}
END_TEST

SUITE_MAIN("ready",
           ready_runs_who_was_woken_last_then_the_prompt_the_fresh_the_patient,
           ready_has_a_fresh_heir_unless_somebody_waits_in_a_line,
           ready_sends_who_was_next_to_its_line_when_another_is,
           ready_picks_the_other_way_round_once_in_a_streak,
           ready_tells_a_spawner_when_many_have_never_run,
           ready_fresh_positions_may_wrap_around,
           ready_gives_only_those_of_the_role_whose_turn_it_is,
           ready_turn_moves_the_next_and_the_fresh_to_their_lines,
           ready_stops_as_soon_as_an_urgent_role_has_something,
           ready_stops_when_its_worker_is_to_look_up,
           ready_thief_gets_the_older_half_of_each_place_but_not_the_next,
           ready_thief_leaves_one_that_is_next,
           ready_thief_takes_no_more_of_a_line_than_can_be_walked_quickly,
           ready_thief_gets_some_of_every_role,
           ready_can_be_taken_whole_the_next_one_too,
           ready_gives_up_all_and_takes_a_batch_back_in_its_order,
           ready_pops_the_nth_of_all_for_simulation,
           ready_every_item_is_had_once_by_somebody,
           ready_by_lock_every_item_is_had_once_by_somebody)
