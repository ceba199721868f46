/*
 * runq_test.c - a worker's run queue, as large as it really is.
 *
 * What happens between threads is tested one step at a time in test/interleave,
 * and with its memory orders broken in test/weaken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/runq.h"
#include "test/support/suite.h"

#include <pthread.h>
#include <sched.h>

enum { SLOTS = COACT__RUNQ_SLOTS, MANY = SLOTS * 3 };

static struct coact__runnable items[MANY];
static struct coact__runq queue;
static struct coact__runq other;
static struct coact__batch overflow;

static void
begin(void)
{
    coact__runq_init(&queue);
    coact__runq_init(&other);
    overflow = (struct coact__batch){0};
}

static void
push_range(int from, int to)
{
    for (int i = from; i < to; i++) {
        ck_assert(coact__runq_push(&queue, &items[i], &overflow));
    }
}

static void
must_pop_range(struct coact__runq *q, int from, int to)
{
    for (int i = from; i < to; i++) {
        ck_assert_ptr_eq(coact__runq_pop(q), &items[i]);
    }
    ck_assert_ptr_null(coact__runq_pop(q));
}

static void
must_hold_range(struct coact__batch *batch, int from, int to)
{
    for (int i = from; i < to; i++) {
        ck_assert_ptr_eq(coact__batch_pop(batch), &items[i]);
    }
    ck_assert_ptr_null(coact__batch_pop(batch));
    ck_assert_uint_eq(batch->count, 0);
}

START_TEST(runq_gives_back_in_order_what_was_pushed)
{
    begin();
    ck_assert_ptr_null(coact__runq_pop(&queue));
    for (int turn = 0; turn < 10; turn++) {
        push_range(0, 100);
        ck_assert_uint_eq(coact__runq_length(&queue), 100);
        must_pop_range(&queue, 0, 100);
        ck_assert_uint_eq(coact__runq_length(&queue), 0);
    }
}
END_TEST

START_TEST(runq_positions_may_wrap_around)
{
    begin();
    atomic_init(&queue.head, UINT32_MAX - 10);
    atomic_init(&queue.tail, UINT32_MAX - 10);
    push_range(0, SLOTS);
    ck_assert_uint_eq(coact__runq_length(&queue), SLOTS);
    must_pop_range(&queue, 0, SLOTS);
}
END_TEST

START_TEST(runq_when_full_spills_its_older_half_and_the_new_one)
{
    begin();
    push_range(0, SLOTS);
    ck_assert_ptr_null(overflow.first);
    ck_assert(!coact__runq_push(&queue, &items[SLOTS], &overflow));
    ck_assert_uint_eq(overflow.count, SLOTS / 2 + 1);
    for (int i = 0; i < SLOTS / 2; i++) {
        ck_assert_ptr_eq(coact__batch_pop(&overflow), &items[i]);
    }
    ck_assert_ptr_eq(coact__batch_pop(&overflow), &items[SLOTS]);
    ck_assert_ptr_null(coact__batch_pop(&overflow));
    must_pop_range(&queue, SLOTS / 2, SLOTS);
}
END_TEST

START_TEST(runq_thief_gets_the_older_half_in_order)
{
    begin();
    push_range(0, 101);
    ck_assert_ptr_eq(coact__runq_steal(&other, &queue), &items[0]);
    must_pop_range(&other, 1, 51);
    must_pop_range(&queue, 51, 101);
    ck_assert_ptr_null(coact__runq_steal(&other, &queue));
}
END_TEST

START_TEST(runq_thief_with_little_room_takes_less)
{
    begin();
    push_range(0, SLOTS);
    for (int i = 0; i < SLOTS - 2; i++) {
        coact__runq_push(&other, &items[SLOTS + i], &overflow);
    }
    ck_assert_ptr_eq(coact__runq_steal(&other, &queue), &items[0]);
    ck_assert_uint_eq(coact__runq_length(&other), SLOTS);
    ck_assert_ptr_eq(coact__runq_steal(&other, &queue), &items[3]);
    ck_assert_uint_eq(coact__runq_length(&queue), SLOTS - 4);
    for (int i = 0; i < SLOTS - 2; i++) {
        ck_assert_ptr_eq(coact__runq_pop(&other), &items[SLOTS + i]);
    }
    must_pop_range(&other, 1, 3);
}
END_TEST

START_TEST(runq_can_be_taken_whole)
{
    begin();
    struct coact__batch all = {0};
    ck_assert_uint_eq(coact__runq_take_all(&queue, &all), 0);
    push_range(0, SLOTS);
    ck_assert_uint_eq(coact__runq_take_all(&queue, &all), SLOTS);
    push_range(SLOTS, SLOTS + 1);
    ck_assert_uint_eq(coact__runq_take_all(&queue, &all), 1);
    must_hold_range(&all, 0, SLOTS + 1);
    ck_assert_ptr_null(coact__runq_pop(&queue));
}
END_TEST

/* ---- real threads ---- */

enum { ROUNDS = 300 };

static _Atomic int had[MANY];
static _Atomic bool is_over;

static void
have(struct coact__runnable *r)
{
    /* Release, for the pusher that counts it: it may push the task again. */
    atomic_fetch_add_explicit(&had[r - items], 1, memory_order_release);
}

static void *
steal_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        struct coact__runnable *r = coact__runq_steal(&other, &queue);
        for (; r != NULL; r = coact__runq_pop(&other)) {
            have(r);
        }
    }
    return NULL;
}

static void *
adopt_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        struct coact__batch batch = {0};
        coact__runq_take_all(&queue, &batch);
        for (struct coact__runnable *r;
             (r = coact__batch_pop(&batch)) != NULL;) {
            have(r);
        }
        sched_yield();
    }
    return NULL;
}

static int
count_had(void)
{
    int n = 0;
    for (int i = 0; i < MANY; i++) {
        n += atomic_load_explicit(&had[i], memory_order_acquire);
    }
    return n;
}

/* All of a round are had before the next one pushes them again. */
static void
push_a_round(void)
{
    for (int i = 0; i < MANY; i++) {
        coact__runq_push(&queue, &items[i], &overflow);
        if (i % 3 == 0) {
            struct coact__runnable *r = coact__runq_pop(&queue);
            if (r != NULL) {
                have(r);
            }
        }
    }
    for (struct coact__runnable *r;
         (r = coact__batch_pop(&overflow)) != NULL;) {
        have(r);
    }
    for (struct coact__runnable *r; (r = coact__runq_pop(&queue)) != NULL;) {
        have(r);
    }
}

START_TEST(runq_every_task_is_had_once_by_somebody)
{
    pthread_t thief;
    pthread_t adopter;
    begin();
    pthread_create(&thief, NULL, steal_all_the_time, NULL);
    pthread_create(&adopter, NULL, adopt_all_the_time, NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        push_a_round();
        while (count_had() < round * MANY) {
            sched_yield();
        }
        for (int i = 0; i < MANY; i++) {
            if (atomic_load_explicit(&had[i], memory_order_relaxed) != round) {
                ck_abort_msg("task %d of round %d", i, round);
            }
        }
    }
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    pthread_join(thief, NULL);
    pthread_join(adopter, NULL);
}
END_TEST

SUITE_MAIN("runq", runq_gives_back_in_order_what_was_pushed,
           runq_positions_may_wrap_around,
           runq_when_full_spills_its_older_half_and_the_new_one,
           runq_thief_gets_the_older_half_in_order,
           runq_thief_with_little_room_takes_less, runq_can_be_taken_whole,
           runq_every_task_is_had_once_by_somebody)
