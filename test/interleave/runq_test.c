/*
 * runq_test.c - a worker's run queue under every interleaving of its takers.
 *
 * The ring has four slots here, so that it wraps, fills and spills within a
 * schedule of a few dozen steps; positions start just before 2^32, so that they
 * wrap too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#define COACT__RUNQ_SLOTS 4
#include "runtime/runq.c"

enum { TASKS = 8 };

struct task {
    struct coact__runnable runnable; /* first */
    int body;                        /* plain data of whoever holds the task */
    int taken;
};

static struct task tasks[TASKS];
static struct coact__runq queue;
static struct coact__runq thief_queues[2];
static struct coact__batch spilled;
static struct coact__batch adopted;

static void
begin(void)
{
    coact__runq_init(&queue);
    atomic_init(&queue.head, UINT32_MAX - 1);
    atomic_init(&queue.tail, UINT32_MAX - 1);
    coact__runq_init(&thief_queues[0]);
    coact__runq_init(&thief_queues[1]);
    spilled = adopted = (struct coact__batch){0};
    for (int i = 0; i < TASKS; i++) {
        tasks[i].taken = 0;
    }
}

static int
number_of(const struct coact__runnable *r)
{
    return (int)((const struct task *)r - tasks);
}

/* We have it: then nobody else has, and what the pusher wrote is ours. */
static int
have(struct coact__runnable *r)
{
    struct task *t = (struct task *)r;
    INTERLEAVE_CHECK(t->taken++ == 0);
    interleave_read(&t->body);
    interleave_wrote(&t->body);
    return number_of(r);
}

static void
push(int i)
{
    interleave_wrote(&tasks[i].body);
    coact__runq_push(&queue, &tasks[i].runnable, &spilled);
}

/* Each must come after the one before: the queue is first in, first out, and
   what one taker gets is in order, whoever else takes between. */
static void
have_later(struct coact__runnable *r, int *last)
{
    int now = have(r);
    INTERLEAVE_CHECK(now > *last);
    *last = now;
}

/* No INTERLEAVE_CHECK counts here what is still in the queue at the end. */
static void
all_are_somewhere_once(void)
{
    for (struct coact__runnable *r; (r = coact__batch_pop(&spilled));) {
        have(r);
    }
    for (struct coact__runnable *r; (r = coact__batch_pop(&adopted));) {
        have(r);
    }
    for (struct coact__runnable *r; (r = coact__runq_pop(&queue));) {
        have(r);
    }
    for (int i = 0; i < 2; i++) {
        for (struct coact__runnable *r;
             (r = coact__runq_pop(&thief_queues[i]));) {
            have(r);
        }
    }
}

static void
check_some(int pushed)
{
    all_are_somewhere_once();
    for (int i = 0; i < TASKS; i++) {
        INTERLEAVE_CHECK(tasks[i].taken == (i < pushed));
    }
}

/* ---- three tasks, one thief, one adopter ---- */

static void
push_three_pop_two(int self)
{
    (void)self;
    int last = -1;
    push(0);
    push(1);
    struct coact__runnable *r = coact__runq_pop(&queue);
    if (r) {
        have_later(r, &last);
    }
    push(2);
    r = coact__runq_pop(&queue);
    if (r) {
        have_later(r, &last);
    }
}

static void
steal_and_run(int self)
{
    int last = -1;
    struct coact__runq *own = &thief_queues[self - 1];
    struct coact__runnable *r = coact__runq_steal(own, &queue);
    if (r) {
        have_later(r, &last);
    }
    while ((r = coact__runq_pop(own))) {
        have_later(r, &last);
    }
}

static void
adopt_all(int self)
{
    (void)self;
    int last = -1;
    uint32_t n = coact__runq_take_all(&queue, &adopted);
    INTERLEAVE_CHECK(n == adopted.count);
    for (struct coact__runnable *r; (r = coact__batch_pop(&adopted));) {
        have_later(r, &last);
    }
}

static void
check_three(void)
{
    check_some(3);
}

START_TEST(runq_loses_and_doubles_nothing_with_a_thief_and_an_adopter)
{
    interleave_explore(&(struct interleave_case){
        .name = "runq: owner, thief, adopter",
        .threads = {{"owner", push_three_pop_two},
                    {"thief", steal_and_run},
                    {"adopter", adopt_all}},
        .setup = begin,
        .check = check_three,
    });
}
END_TEST

START_TEST(runq_loses_and_doubles_nothing_with_two_thieves)
{
    interleave_explore(&(struct interleave_case){
        .name = "runq: owner, two thieves",
        .threads = {{"owner", push_three_pop_two},
                    {"thief", steal_and_run},
                    {"thief2", steal_and_run}},
        .setup = begin,
        .check = check_three,
    });
}
END_TEST

/* ---- a full ring spills while it is stolen from ---- */

static void
begin_with_three(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        coact__runq_push(&queue, &tasks[i].runnable, &spilled);
    }
}

static void
push_four(int self)
{
    (void)self;
    for (int i = 3; i < 7; i++) {
        push(i);
    }
}

static void
check_seven(void)
{
    INTERLEAVE_CHECK(coact__runq_length(&queue) <= COACT__RUNQ_SLOTS);
    check_some(7);
}

START_TEST(runq_spills_half_when_full_and_loses_nothing_to_a_thief)
{
    interleave_explore(&(struct interleave_case){
        .name = "runq: a full ring and a thief",
        .threads = {{"owner", push_four}, {"thief", steal_and_run}},
        .setup = begin_with_three,
        .check = check_seven,
    });
}
END_TEST

/* ---- what is stolen can be stolen again ---- */

static void
steal_from_the_thief(int self)
{
    struct coact__runq *own = &thief_queues[self - 1];
    struct coact__runnable *r = coact__runq_steal(own, &thief_queues[0]);
    if (r) {
        have(r);
    }
}

static void
push_two(int self)
{
    (void)self;
    push(3);
    push(4);
}

static void
check_five(void)
{
    check_some(5);
}

START_TEST(runq_tasks_can_be_stolen_from_a_thief_while_he_steals)
{
    interleave_explore(&(struct interleave_case){
        .name = "runq: a thief robbed",
        .threads = {{"owner", push_two},
                    {"thief", steal_and_run},
                    {"robber", steal_from_the_thief}},
        .setup = begin_with_three,
        .check = check_five,
    });
}
END_TEST

SUITE_MAIN("interleave/runq",
           runq_loses_and_doubles_nothing_with_a_thief_and_an_adopter,
           runq_loses_and_doubles_nothing_with_two_thieves,
           runq_spills_half_when_full_and_loses_nothing_to_a_thief,
           runq_tasks_can_be_stolen_from_a_thief_while_he_steals)
