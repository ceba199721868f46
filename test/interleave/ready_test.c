/*
 * ready_test.c - what a worker is to run, under every interleaving of its owner
 * and those who take some of it.
 *
 * There is room for two fresh ones here, so that it fills and wraps.  Who holds a
 * task writes plain data in it: then nobody else may hold it, and what the one
 * before wrote must be ordered.  At the end each is somewhere, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#include "runtime/oracle.h"

static int64_t ready_now_ns(void);

#define coact__pause interleave_give_way
#define coact__membarrier interleave_barrier
#define coact__oracle_now_ns ready_now_ns
#define coact__oracle_is_simulated() false
#define COACT__BIAS_LOOKS 2
#define COACT__BIAS_OUTSIDE_LOOKS 3
#define COACT__FRESH 2
#include "runtime/bias.c"
#include "runtime/ready.c"

enum { TASKS = 8, OTHERS = 2 };

struct task {
    struct coact__runnable runnable; /* first */
    int body;                        /* plain data of whoever holds the task */
    int taken;
};

static struct task tasks[TASKS];
static struct coact__ready queue;
static struct coact__ready own[OTHERS];
static struct coact__batch batches[OTHERS];
static int64_t now_ns;

static int64_t
ready_now_ns(void)
{
    return now_ns += ANSWER_NS;
}

/* No task is pinned here, and no queue an outlet. */
void
coact__runnable_elsewhere(struct coact__runnable *r)
{
    (void)r;
    ck_abort_msg("a queue has turned away what it should hold");
}

static void
begin_as(bool is_bias_possible)
{
    coact__ready_init(&queue, is_bias_possible);
    for (int i = 0; i < OTHERS; i++) {
        coact__ready_init(&own[i], is_bias_possible);
        batches[i] = (struct coact__batch){0};
    }
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = (struct task){.taken = 0};
    }
    // Close to the end, so that positions wrap.
    queue.fresh_first = queue.fresh_end = UINT32_MAX;
    now_ns = 0;
}

static void
begin(void)
{
    begin_as(true);
}

static void
begin_locked(void)
{
    begin_as(false);
}

/* ---- holding a task ---- */

static struct coact__runnable *
new_task(int i)
{
    interleave_wrote(&tasks[i].body);
    return &tasks[i].runnable;
}

/* We have it: then nobody else has, and what was written before is ours. */
static int
have(struct coact__runnable *r)
{
    struct task *t = (struct task *)r;
    INTERLEAVE_CHECK(t->taken++ == 0);
    interleave_read(&t->body);
    interleave_wrote(&t->body);
    return (int)(t - tasks);
}

/* The same by one who takes from a line only: what he gets is in order, whoever
   else takes between. */
static void
have_later(struct coact__runnable *r, int *last)
{
    int now = have(r);
    INTERLEAVE_CHECK(now > *last);
    *last = now;
}

static void
drain(struct coact__ready *ready)
{
    atomic_store_explicit(&ready->bias.attention, false, memory_order_relaxed);
    coact__ready_turn(ready, ready->role, 0);
    struct coact__batch all = {0};
    uint32_t length = coact__ready_length(ready);
    uint32_t slot = coact__ready_has_slot(ready);
    INTERLEAVE_CHECK(coact__ready_give_up_all(ready, &all) == length + slot);
    INTERLEAVE_CHECK(all.count == length + slot);
    INTERLEAVE_CHECK(coact__ready_length(ready) == 0);
    INTERLEAVE_CHECK(coact__ready_waiting(ready) == 0);
    INTERLEAVE_CHECK(!coact__ready_has_slot(ready));
    for (struct coact__runnable *r; (r = coact__batch_pop(&all)) != NULL;) {
        have(r);
    }
}

static void
each_was_somewhere_once(int made)
{
    drain(&queue);
    for (int i = 0; i < OTHERS; i++) {
        drain(&own[i]);
        for (struct coact__runnable *r;
             (r = coact__batch_pop(&batches[i])) != NULL;) {
            have(r);
        }
    }
    for (int i = 0; i < TASKS; i++) {
        INTERLEAVE_CHECK(tasks[i].taken == (i < made));
    }
}

static void
check_four(void)
{
    each_was_somewhere_once(4);
}

static void
check_six(void)
{
    each_was_somewhere_once(6);
}

static void
pop_one(void)
{
    struct coact__runnable *r = coact__ready_pop(&queue);
    if (r != NULL) {
        have(r);
    }
}

/* ---- those who take ---- */

static void
steal_and_run(int self)
{
    struct coact__ready *mine = &own[self - 1];
    uint32_t n = coact__ready_steal(mine, &queue);
    INTERLEAVE_CHECK(coact__ready_length(mine) <= n);
    for (struct coact__runnable *r; (r = coact__ready_pop(mine)) != NULL;) {
        have(r);
    }
}

static void
steal_in_order(int self)
{
    int last = -1;
    struct coact__ready *mine = &own[self - 1];
    for (int i = 0; i < 2; i++) {
        (void)coact__ready_steal(mine, &queue);
        for (struct coact__runnable *r; (r = coact__ready_pop(mine)) != NULL;) {
            have_later(r, &last);
        }
    }
}

static void
adopt_all(int self)
{
    struct coact__batch *mine = &batches[self - 1];
    uint32_t n = coact__ready_take_all(&queue, mine);
    INTERLEAVE_CHECK(n == mine->count);
}

static void
adopt_all_in_order(int self)
{
    int last = -1;
    struct coact__batch *mine = &batches[self - 1];
    for (int i = 0; i < 2; i++) {
        (void)coact__ready_take_all(&queue, mine);
        for (struct coact__runnable *r; (r = coact__batch_pop(mine)) != NULL;) {
            have_later(r, &last);
        }
    }
}

static void
steal_from_the_thief(int self)
{
    struct coact__ready *mine = &own[self - 1];
    (void)coact__ready_steal(mine, &own[0]);
    for (struct coact__runnable *r; (r = coact__ready_pop(mine)) != NULL;) {
        have(r);
    }
}

/* ---- from all places ---- */

/* Slot, prompt and patient line, fresh. */
static void
put_in_all_places(int self)
{
    (void)self;
    coact__ready_put(&queue, new_task(0));
    tasks[1].runnable.is_fresh = true;
    (void)coact__ready_put_fresh(&queue, new_task(1));
    coact__ready_put_next(&queue, new_task(2));
    coact__ready_put_next(&queue, new_task(3));
    pop_one();
    pop_one();
    pop_one();
}

START_TEST(ready_loses_and_doubles_nothing_to_a_thief_and_an_adopter)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: owner, thief, adopter",
        .threads = {{"owner", put_in_all_places},
                    {"thief", steal_and_run},
                    {"adopter", adopt_all}},
        .setup = begin,
        .check = check_four,
    });
}
END_TEST

START_TEST(ready_by_lock_loses_and_doubles_nothing_either)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: by lock",
        .threads = {{"owner", put_in_all_places},
                    {"thief", steal_and_run},
                    {"adopter", adopt_all}},
        .setup = begin_locked,
        .check = check_four,
    });
}
END_TEST

/* ---- the quick ways: one that is next, and is taken all the same ---- */

static void
put_next_and_pop_six(int self)
{
    (void)self;
    for (int i = 0; i < 6; i++) {
        coact__ready_put_next(&queue, new_task(i));
        pop_one();
    }
}

static void
adopt_all_thrice(int self)
{
    adopt_all(self);
    struct coact__batch *mine = &batches[self - 1];
    (void)coact__ready_take_all(&queue, mine);
    (void)coact__ready_take_all(&queue, mine);
}

START_TEST(ready_gives_the_next_one_to_its_worker_or_to_who_takes_all)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: the next one",
        .threads = {{"owner", put_next_and_pop_six},
                    {"adopter", adopt_all_thrice}},
        .setup = begin,
        .check = check_six,
    });
}
END_TEST

/* ---- fresh ones: they fill their place, and what is over goes to the line ---- */

static void
make_six(int self)
{
    (void)self;
    for (int i = 0; i < 6; i++) {
        tasks[i].runnable.is_fresh = true;
        (void)coact__ready_put_fresh(&queue, new_task(i));
        if (i == 3) {
            pop_one();
        }
    }
    pop_one();
}

START_TEST(ready_loses_no_fresh_one_when_there_is_no_room_for_it)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: fresh",
        .threads = {{"owner", make_six},
                    {"thief", steal_and_run},
                    {"thief2", steal_and_run}},
        .setup = begin,
        .check = check_six,
    });
}
END_TEST

/* ---- the order of a line ---- */

static void
put_and_pop_in_order(int self)
{
    (void)self;
    int last = -1;
    for (int i = 0; i < 6; i++) {
        coact__ready_put(&queue, new_task(i));
        struct coact__runnable *r =
            i % 2 == 1 ? coact__ready_pop(&queue) : NULL;
        if (r != NULL) {
            have_later(r, &last);
        }
    }
}

START_TEST(ready_keeps_the_order_of_a_line_for_everybody_who_takes)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: order",
        .threads = {{"owner", put_and_pop_in_order},
                    {"thief", steal_in_order},
                    {"adopter", adopt_all_in_order}},
        .setup = begin,
        .check = check_six,
    });
}
END_TEST

/* ---- what is stolen can be stolen again ---- */

static void
put_six(int self)
{
    (void)self;
    for (int i = 0; i < 6; i++) {
        coact__ready_put(&queue, new_task(i));
    }
}

START_TEST(ready_can_be_stolen_from_a_thief_while_he_steals)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: a thief robbed",
        .threads = {{"owner", put_six},
                    {"thief", steal_and_run},
                    {"robber", steal_from_the_thief}},
        .setup = begin,
        .check = check_six,
    });
}
END_TEST

/* ---- the turn goes to another role, and back ---- */

static void
take_turns(int self)
{
    (void)self;
    tasks[0].runnable.is_fresh = true;
    tasks[2].runnable.role = 1;
    (void)coact__ready_put_fresh(&queue, new_task(0));
    coact__ready_put_next(&queue, new_task(1));
    coact__ready_put(&queue, new_task(2));
    coact__ready_turn(&queue, 1, 0);
    pop_one();
    coact__ready_put_next(&queue, new_task(3));
    coact__ready_turn(&queue, 0, UINT32_C(1) << 1);
    pop_one();
}

START_TEST(ready_loses_nothing_when_the_turn_goes_to_another_role)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: turns",
        .threads = {{"owner", take_turns},
                    {"thief", steal_and_run},
                    {"adopter", adopt_all}},
        .setup = begin,
        .check = check_four,
    });
}
END_TEST

/* ---- giving all up, and getting some from elsewhere ---- */

static void
give_up_and_put_all(int self)
{
    (void)self;
    struct coact__batch all = {0};
    coact__ready_put_next(&queue, new_task(0));
    coact__ready_put(&queue, new_task(1));
    uint32_t n = coact__ready_give_up_all(&queue, &all);
    INTERLEAVE_CHECK(n == all.count);
    coact__batch_append(&all, new_task(2));
    coact__batch_append(&all, new_task(3));
    coact__ready_put_all(&queue, &all);
    pop_one();
    struct coact__runnable *r = coact__ready_pop_nth(&queue, 1);
    if (r != NULL) {
        have(r);
    }
}

START_TEST(ready_loses_nothing_that_is_given_up_and_put_again)
{
    interleave_explore(&(struct interleave_case){
        .name = "ready: all at once",
        .threads = {{"owner", give_up_and_put_all},
                    {"thief", steal_and_run},
                    {"adopter", adopt_all}},
        .setup = begin,
        .check = check_four,
    });
}
END_TEST

SUITE_MAIN("interleave/ready",
           ready_loses_and_doubles_nothing_to_a_thief_and_an_adopter,
           ready_by_lock_loses_and_doubles_nothing_either,
           ready_gives_the_next_one_to_its_worker_or_to_who_takes_all,
           ready_loses_no_fresh_one_when_there_is_no_room_for_it,
           ready_keeps_the_order_of_a_line_for_everybody_who_takes,
           ready_can_be_stolen_from_a_thief_while_he_steals,
           ready_loses_nothing_when_the_turn_goes_to_another_role,
           ready_loses_nothing_that_is_given_up_and_put_again)
