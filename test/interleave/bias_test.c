/*
 * bias_test.c - the biased lock under every interleaving of its owner and those
 * who ask.
 *
 * The owner enters and leaves, others take and give.  Whoever is inside writes
 * plain data, and looks whether somebody else is there.  The time that one who
 * asks waits for an answer is a few steps here, and the kernel's barrier is the
 * harness's; without it the lock must fail, or the harness proves nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#include "runtime/oracle.h"

static void bias_barrier(void);
static int64_t bias_now_ns(void);

#define coact__pause interleave_give_way
#define coact__membarrier bias_barrier
#define coact__oracle_now_ns bias_now_ns
#define coact__oracle_is_simulated() false
#define COACT__BIAS_LOOKS 2
#define COACT__BIAS_OUTSIDE_LOOKS 3
#include "runtime/bias.c"

#include <string.h>

enum { OWNER, TAKERS = 3 };

static struct coact__bias bias;
static bool has_barrier;
static int64_t now_ns;
static int occupants;
static int inside_data; /* of whoever is inside */
static int entries;     /* of the owner */
static int taken;       /* by others */

static void
bias_barrier(void)
{
    if (has_barrier) {
        interleave_barrier();
    }
}

/* An answer is waited for once round or twice. */
static int64_t
bias_now_ns(void)
{
    return now_ns += ANSWER_NS / (1 + (int64_t)interleave_draw(2));
}

static void
begin_with(bool is_possible)
{
    coact__bias_init(&bias, is_possible);
    now_ns = 0;
    occupants = entries = taken = 0;
}

static void
begin(void)
{
    begin_with(true);
}

static void
begin_locked(void)
{
    begin_with(false);
}

/* We are inside, alone; and all that others did there is before us. */
static void
be_inside(void)
{
    INTERLEAVE_CHECK(occupants++ == 0);
    interleave_wrote(&inside_data);
    interleave_step();
    INTERLEAVE_CHECK(--occupants == 0);
}

static void
enter(void)
{
    coact__bias_enter(&bias);
    be_inside();
    entries++;
    coact__bias_leave(&bias);
}

static bool
take(void)
{
    if (!coact__bias_take(&bias)) {
        return false;
    }
    be_inside();
    taken++;
    coact__bias_give(&bias);
    return true;
}

static void
enter_once(int self)
{
    (void)self;
    enter();
}

static void
enter_thrice(int self)
{
    (void)self;
    enter();
    enter();
    enter();
}

static void
take_once(int self)
{
    (void)self;
    (void)take();
}

static void
take_twice(int self)
{
    (void)self;
    (void)take();
    (void)take();
}

static void
all_are_outside(void)
{
    INTERLEAVE_CHECK(occupants == 0);
    INTERLEAVE_CHECK(bias.inside == 0);
    INTERLEAVE_CHECK(bias.asked == 0);
    // Nobody who left it has left it closed.
    INTERLEAVE_CHECK(take());
    enter();
}

static const struct interleave_case one_asks = {
    .name = "bias: one asks",
    .threads = {{"owner", enter_thrice}, {"taker", take_twice}},
    .setup = begin,
    .check = all_are_outside,
};

static const struct interleave_case two_ask = {
    .name = "bias: two ask",
    .threads = {{"owner", enter_thrice},
                {"taker", take_twice},
                {"taker2", take_twice}},
    .setup = begin,
    .check = all_are_outside,
};

START_TEST(bias_lets_one_in_at_a_time_the_owner_or_who_asks)
{
    has_barrier = true;
    interleave_explore(&one_asks);
}
END_TEST

START_TEST(bias_lets_one_in_at_a_time_of_two_who_ask)
{
    has_barrier = true;
    interleave_explore(&two_ask);
}
END_TEST

START_TEST(bias_lets_one_in_at_a_time_of_three_who_ask_once)
{
    has_barrier = true;
    interleave_explore(&(struct interleave_case){
        .name = "bias: three ask",
        .threads = {{"owner", enter_once},
                    {"taker", take_once},
                    {"taker2", take_once},
                    {"taker3", take_once}},
        .setup = begin,
        .check = all_are_outside,
    });
}
END_TEST

/* ---- without the kernel's help ---- */

START_TEST(bias_fails_without_the_barrier)
{
    const char *claim = "";
    has_barrier = false;
    ck_assert_uint_gt(interleave_seeds_to_failure(&one_asks, 200000, &claim),
                      0);
    // Both inside at once, or, the one just gone, without an order.
    ck_assert(strcmp(claim, "occupants++ == 0") == 0 ||
              strcmp(claim, "a write is ordered after other accesses") == 0);
}
END_TEST

static void
the_lock_is_free(void)
{
    INTERLEAVE_CHECK(occupants == 0);
    INTERLEAVE_CHECK(!bias.lock.held && !bias.is_by_lock);
    INTERLEAVE_CHECK(entries == 3 && taken == 4);
}

START_TEST(bias_that_is_impossible_is_a_lock_for_all)
{
    has_barrier = false;
    interleave_explore(&(struct interleave_case){
        .name = "bias: by lock",
        .threads = {{"owner", enter_thrice},
                    {"taker", take_twice},
                    {"taker2", take_twice}},
        .setup = begin_locked,
        .check = the_lock_is_free,
    });
}
END_TEST

/* ---- nobody is kept out for ever ---- */

/* One who asks an owner that comes and goes gets in, sooner or later. */
static void
take_until_in(int self)
{
    (void)self;
    while (!take()) {
        interleave_give_way();
    }
}

static void
all_got_in(void)
{
    INTERLEAVE_CHECK(entries == 3 && taken == 2);
}

START_TEST(bias_lets_everybody_in_in_the_end)
{
    has_barrier = true;
    interleave_explore(&(struct interleave_case){
        .name = "bias: in the end",
        .threads = {{"owner", enter_thrice},
                    {"taker", take_until_in},
                    {"taker2", take_until_in}},
        .setup = begin,
        .check = all_got_in,
    });
}
END_TEST

SUITE_MAIN("interleave/bias", bias_lets_one_in_at_a_time_the_owner_or_who_asks,
           bias_lets_one_in_at_a_time_of_two_who_ask,
           bias_lets_one_in_at_a_time_of_three_who_ask_once,
           bias_fails_without_the_barrier,
           bias_that_is_impossible_is_a_lock_for_all,
           bias_lets_everybody_in_in_the_end)
