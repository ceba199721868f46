/*
 * supervisor_backoff_test.c - restarts that wait, and what happens meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

/* An actor that fails its init as often as it is told to. */
static int fails_left;
static int64_t tried_at_ns[64];
static int tries;

static void
flaky_run(toy_self self, void *name)
{
    tried_at_ns[tries++ % 64] = coact_now_ns();
    if (fails_left > 0) {
        fails_left--;
        coact_fail(-EIO, "no database");
    }
    toy_run(self, name);
}

#define FLAKY(id, ...)                                                         \
    COACT_CHILD(toy, id, flaky_run, (void *)(uintptr_t)id, .wait_init = true,  \
                __VA_ARGS__)

/* The first start succeeds; then it crashes and `fails` inits fail. */
static coact_supervisor_ref
with_flaky(struct coact_child flaky, enum coact_strategy strategy)
{
    fails_left = 0;
    tries = 0;
    struct coact_child children[] = {TOY("a"), flaky, TOY("c")};
    return supervise(&(struct coact_supervisor){.children = children,
                                                .child_count = COUNT(children),
                                                .strategy = strategy});
}

static void
doubles(world_self self)
{
    (void)self;
    coact_supervisor_ref top = with_flaky(
        (struct coact_child)FLAKY("f", .backoff = {.first_ns = COACT_MS(100)}),
        COACT_ONE_FOR_ONE);
    fails_left = 6;
    int64_t crash_ns = coact_now_ns();
    blow_up(top, "f", -EIO);
    ck_assert_int_eq(tries, 1);
    (void)toy_of(top, "f");
    ck_assert_int_eq(tries, 8);
    int64_t before_ns = crash_ns, full_ns = COACT_MS(100);
    for (int i = 1; i < 8; i++) {
        int64_t wait_ns = tried_at_ns[i] - before_ns;
        ck_assert_int_ge(wait_ns, full_ns / 2);
        ck_assert_int_le(wait_ns, full_ns + COACT_MS(2));
        before_ns = tried_at_ns[i];
        full_ns *= 2;
    }
    ck_assert_uint_eq(look(top).restarts, 7);
    stop(top);
}

START_TEST(s42_failing_init_is_retried_with_exponential_backoff_and_jitter)
{
    in_world(doubles);
}
END_TEST

static void
default_backoff(world_self self)
{
    (void)self;
    coact_supervisor_ref top =
        with_flaky((struct coact_child)FLAKY("f", .restart = COACT_PERMANENT),
                   COACT_ONE_FOR_ONE);
    fails_left = 1000000;
    blow_up(top, "f", -EIO);
    ck_assert_int_eq(coact_sleep(coact_in_ns(COACT_SECONDS(600))), 0);
    // It is tried for ever, ever more slowly, and nobody gives up.
    ck_assert(coact_is_alive(top.ref));
    ck_assert_int_gt(tries, 20);
    ck_assert_int_lt(tries, 60);
    fails_left = 0;
    (void)toy_of(top, "f");
    stop(top);
}

START_TEST(s42_failing_init_stays_below_the_default_intensity)
{
    in_world(default_backoff);
}
END_TEST

static bool
has_waiting(void *context, const struct coact_child_info *info)
{
    int *waiting = context;
    if (info->state == COACT_CHILD_WAITING) {
        ck_assert_str_eq(info->id, "f");
        ck_assert_int_gt(info->next_start_ns, coact_now_ns());
        ck_assert_uint_gt(info->end_count, 0);
        ck_assert_int_eq(info->ends[0].reason.code, -EIO);
        ck_assert_str_eq(info->ends[0].reason.text, "blown");
        ++*waiting;
    }
    return true;
}

static void
answers(world_self self)
{
    (void)self;
    for (int s = COACT_ONE_FOR_ONE; s <= COACT_REST_FOR_ONE; s++) {
        coact_supervisor_ref top =
            with_flaky((struct coact_child)FLAKY(
                           "f", .restart = COACT_PERMANENT,
                           .backoff = {.first_ns = COACT_SECONDS(20)}),
                       (enum coact_strategy)s);
        blow_up(top, "f", -EIO);
        int64_t before_ns = coact_now_ns();
        ck_assert_int_eq(coact_sleep(coact_in_ms(1000)), 0);
        struct coact_supervisor_info info = look(top);
        ck_assert_uint_ge(info.waiting, 1);
        int waiting = 0;
        if (s == COACT_ONE_FOR_ONE) {
            ck_assert_uint_eq(info.running, 2);
            ck_assert_int_eq(
                coact_children(top, coact_in_ms(10), has_waiting, &waiting), 0);
            ck_assert_int_eq(waiting, 1);
        }
        toy_ref toy;
        ck_assert_int_eq(coact_child_find(top, toy, "f", &toy, coact_in_ms(10)),
                         -ETIMEDOUT);
        ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(1100));
        (void)toy_of(top, "f");
        ck_assert_int_ge(coact_now_ns() - before_ns, COACT_SECONDS(9));
        stop(top);
    }
}

START_TEST(s42_queries_are_answered_during_the_backoff)
{
    in_world(answers);
}
END_TEST

static void
resets(world_self self)
{
    (void)self;
    coact_supervisor_ref top =
        with_flaky((struct coact_child)FLAKY(
                       "f", .backoff = {.first_ns = COACT_MS(100),
                                        .reset_ns = COACT_SECONDS(3)}),
                   COACT_ONE_FOR_ONE);
    fails_left = 4;
    blow_up(top, "f", -EIO);
    (void)toy_of(top, "f"); // its fifth wait was 0.8 s or more
    ck_assert_int_eq(coact_sleep(coact_in_ms(2000)), 0);
    int64_t before_ns = coact_now_ns();
    blow_up(top, "f", -EIO);
    (void)toy_of(top, "f");
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(1600));
    ck_assert_int_eq(coact_sleep(coact_in_ms(3001)), 0);
    before_ns = coact_now_ns();
    blow_up(top, "f", -EIO);
    (void)toy_of(top, "f");
    ck_assert_int_le(coact_now_ns() - before_ns, COACT_MS(102));
    stop(top);
}

START_TEST(s42_backoff_resets_after_a_quiet_time)
{
    in_world(resets);
}
END_TEST

static void
group_waits(world_self self)
{
    (void)self;
    coact_supervisor_ref top = with_flaky(
        (struct coact_child)FLAKY("f", .backoff = {.first_ns = COACT_MS(100)}),
        COACT_ONE_FOR_ALL);
    SAW("+a +f +c");
    fails_left = 2;
    blow_up(top, "f", -EIO);
    // The others do not run on without it, nor do they start before it is due.
    SAW("-f -c -a");
    (void)toy_of(top, "f");
    settle();
    SAW("+a -a +a -a +a +f +c");
    ck_assert_uint_eq(look(top).restarts, 3);
    stop(top);
    SAW("-c -f -a");
}

START_TEST(a_group_stops_at_once_and_starts_after_the_backoff)
{
    in_world(group_waits);
}
END_TEST

SUITE_MAIN("supervisor_backoff",
           s42_failing_init_is_retried_with_exponential_backoff_and_jitter,
           s42_failing_init_stays_below_the_default_intensity,
           s42_queries_are_answered_during_the_backoff,
           s42_backoff_resets_after_a_quiet_time,
           a_group_stops_at_once_and_starts_after_the_backoff)
