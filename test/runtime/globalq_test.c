/*
 * globalq_test.c - the run queue that all workers share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/globalq.h"
#include "test/support/suite.h"

#include <pthread.h>
#include <sched.h>

enum { MANY = 1000 };

static struct coact__runnable items[MANY];
static struct coact__globalq queue;

static void
must_pop_range(uint32_t max, int from, int to)
{
    struct coact__batch out = {0};
    ck_assert_uint_eq(coact__globalq_pop(&queue, max, &out),
                      (unsigned)(to - from));
    ck_assert_uint_eq(out.count, (unsigned)(to - from));
    for (int i = from; i < to; i++) {
        ck_assert_ptr_eq(coact__batch_pop(&out), &items[i]);
    }
    ck_assert_ptr_null(coact__batch_pop(&out));
}

START_TEST(globalq_gives_the_oldest_up_to_what_is_asked_for)
{
    ck_assert_int_eq(coact__globalq_init(&queue), 0);
    for (int i = 0; i < 10; i++) {
        coact__globalq_push(&queue, &items[i]);
    }
    ck_assert_uint_eq(coact__globalq_length(&queue), 10);
    must_pop_range(3, 0, 3);
    must_pop_range(0, 3, 3);
    must_pop_range(100, 3, 10);
    must_pop_range(100, 10, 10);
    ck_assert_uint_eq(coact__globalq_length(&queue), 0);
    coact__globalq_push(&queue, &items[10]);
    must_pop_range(100, 10, 11);
    coact__globalq_fini(&queue);
}
END_TEST

START_TEST(globalq_takes_a_batch_in_its_order_and_empties_it)
{
    struct coact__batch batch = {0};
    ck_assert_int_eq(coact__globalq_init(&queue), 0);
    coact__globalq_push_batch(&queue, &batch);
    ck_assert_uint_eq(coact__globalq_length(&queue), 0);
    coact__globalq_push(&queue, &items[0]);
    for (int i = 1; i < 5; i++) {
        coact__batch_append(&batch, &items[i]);
    }
    coact__globalq_push_batch(&queue, &batch);
    ck_assert_ptr_null(batch.first);
    ck_assert_uint_eq(batch.count, 0);
    coact__globalq_push(&queue, &items[5]);
    ck_assert_uint_eq(coact__globalq_length(&queue), 6);
    must_pop_range(100, 0, 6);
    coact__globalq_fini(&queue);
}
END_TEST

/* What is popped is put after what is there already. */
START_TEST(globalq_pops_to_the_end_of_a_batch)
{
    struct coact__batch out = {0};
    ck_assert_int_eq(coact__globalq_init(&queue), 0);
    coact__batch_append(&out, &items[0]);
    coact__globalq_push(&queue, &items[1]);
    ck_assert_uint_eq(coact__globalq_pop(&queue, 1, &out), 1);
    ck_assert_uint_eq(out.count, 2);
    ck_assert_ptr_eq(coact__batch_pop(&out), &items[0]);
    ck_assert_ptr_eq(coact__batch_pop(&out), &items[1]);
    coact__globalq_fini(&queue);
}
END_TEST

static void *
push_half(void *arg)
{
    struct coact__runnable *from = arg;
    for (int i = 0; i < MANY / 2; i++) {
        coact__globalq_push(&queue, &from[i]);
    }
    return NULL;
}

START_TEST(globalq_loses_nothing_between_threads)
{
    pthread_t pushers[2];
    int had[MANY] = {0};
    ck_assert_int_eq(coact__globalq_init(&queue), 0);
    pthread_create(&pushers[0], NULL, push_half, &items[0]);
    pthread_create(&pushers[1], NULL, push_half, &items[MANY / 2]);
    for (int n = 0; n < MANY;) {
        struct coact__batch out = {0};
        if (coact__globalq_pop(&queue, 7, &out) == 0) {
            sched_yield();
        }
        for (struct coact__runnable *r; (r = coact__batch_pop(&out)) != NULL;
             n++) {
            had[r - items]++;
        }
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(had[i], 1);
    }
    pthread_join(pushers[0], NULL);
    pthread_join(pushers[1], NULL);
    ck_assert_uint_eq(coact__globalq_length(&queue), 0);
    coact__globalq_fini(&queue);
}
END_TEST

SUITE_MAIN("globalq", globalq_gives_the_oldest_up_to_what_is_asked_for,
           globalq_takes_a_batch_in_its_order_and_empties_it,
           globalq_pops_to_the_end_of_a_batch,
           globalq_loses_nothing_between_threads)
