/*
 * delay_sim_test.c - how late actors are, where the clock moves when it is told.
 *
 * The clock of a simulation stands still while an actor runs, so one that takes
 * time says how much.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

#include "runtime/memory.h"
#include "runtime/wheel.h"

static struct {
    uint32_t calls;
    struct coact_missed last;
} hook;

static void
missed(void *context, const struct coact_missed *what)
{
    ck_assert_ptr_eq(context, &hook);
    hook.calls++;
    hook.last = *what;
}

static struct coact_runtime *
start_watched(void)
{
    static const struct coact_role_options roles[] = {
        {.name = "prompt",
         .target_ns = COACT_MS(2),
         .missed = missed,
         .missed_context = &hook}};
    const struct coact_runtime_options options = {
        .log = log_nothing, .roles = roles, .role_count = 1};
    struct coact_runtime *runtime;
    hook.calls = 0;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

static void
take_time(int64_t ns)
{
    coact__sim_advance_to(coact_now_ns() + ns);
}

static void
expect_about(int64_t ns, int64_t at_least, int64_t more)
{
    ck_assert_msg(ns >= at_least && ns <= at_least + more,
                  "%lld ns, and not %lld", (long long)ns, (long long)at_least);
}

/* Each join of a sleeper wakes him, to tell him of the monitor; that may be
   among what is counted. */
static void
expect_count(uint64_t count, uint64_t sleeps)
{
    ck_assert_uint_ge(count, sleeps);
    ck_assert_uint_le(count, sleeps + 2);
}

/* Sleeps so many times for a millisecond. */
static void
sleeper_body(peer_self self, void *arg)
{
    (void)self;
    for (uint32_t n = *(uint32_t *)arg; n > 0; n--) {
        coact_sleep(coact_in_ms(1));
    }
}

/* Takes so many milliseconds at a time, half a millisecond apart. */
struct taker {
    int64_t ms;
    uint32_t times;
};

static void
taker_body(peer_self self, void *arg)
{
    (void)self;
    struct taker *taker = arg;
    for (uint32_t i = 0; i < taker->times; i++) {
        coact_sleep(coact_in_ns(COACT_US(500)));
        take_time(COACT_MS(taker->ms));
    }
}

static struct coact_delay
delay_of(struct coact_runtime *runtime, const char *role)
{
    struct coact_delay delay;
    ck_assert_int_eq(coact_delay_ever(runtime, coact_role_named(role), &delay),
                     0);
    return delay;
}

static void
run_both(uint32_t sleeps, struct taker taker)
{
    peer_ref sleeper;
    ck_assert_int_eq(coact_spawn_with(peer, &sleeper, sleeper_body, &sleeps,
                                      .role = coact_role_named("prompt")),
                     0);
    peer_ref other = spawn_peer(taker_body, &taker);
    join_peer(sleeper);
    join_peer(other);
}

START_TEST(a_sleeper_that_wakes_late_is_counted_with_how_late)
{
    struct coact_runtime *runtime = start_watched();
    run_both(1, (struct taker){.ms = 5, .times = 1});
    struct coact_delay delay = delay_of(runtime, "prompt");
    expect_count(delay.count, 1);
    // From 0.5 ms to 5.5 ms somebody took the time, and we were due at 1 ms.
    expect_about(delay.max_ns, COACT_US(4500), 2 * COACT__WHEEL_TICK_NS);
    ck_assert_int_le(delay.mean_ns, delay.max_ns);
    ck_assert_int_eq(delay.p99_ns, delay.max_ns);
    ck_assert_uint_eq(delay_of(runtime, "batch").count, 0);
    ck_assert_int_eq(delay_of(runtime, "batch").p99_ns, 0);
    struct coact_delay none;
    ck_assert_int_eq(coact_delay_ever(runtime, (coact_role){0}, &none),
                     -EINVAL);
    ck_assert_int_eq(coact_delay_recent(runtime, (coact_role){17}, &none),
                     -EINVAL);
    stop_runtime(runtime);
}
END_TEST

START_TEST(quantiles_are_those_of_all_who_woke)
{
    struct coact_runtime *runtime = start_watched();
    run_both(100, (struct taker){.ms = 0, .times = 1});
    run_both(4, (struct taker){.ms = 5, .times = 1});
    struct coact_delay delay = delay_of(runtime, "prompt");
    expect_count(delay.count, 104);
    expect_about(delay.p50_ns, 0, 2 * COACT__WHEEL_TICK_NS);
    expect_about(delay.p90_ns, 0, 2 * COACT__WHEEL_TICK_NS);
    expect_about(delay.max_ns, COACT_US(4500), 2 * COACT__WHEEL_TICK_NS);
    ck_assert_int_gt(delay.span_ns, COACT_MS(100));
    stop_runtime(runtime);
}
END_TEST

START_TEST(the_last_second_forgets_what_was_before)
{
    struct coact_runtime *runtime = start_watched();
    struct coact_delay recent;
    run_both(2, (struct taker){.ms = 5, .times = 1});
    ck_assert_int_eq(
        coact_delay_recent(runtime, coact_role_named("prompt"), &recent), 0);
    expect_count(recent.count, 2);
    ck_assert_int_gt(recent.max_ns, COACT_MS(4));
    run_both(2500, (struct taker){.ms = 0, .times = 1});
    ck_assert_int_eq(
        coact_delay_recent(runtime, coact_role_named("prompt"), &recent), 0);
    ck_assert_int_lt(recent.max_ns, COACT_MS(1));
    ck_assert_int_gt(recent.span_ns, COACT_MS(999));
    ck_assert_int_lt(recent.span_ns, COACT_MS(2050));
    ck_assert_uint_lt(recent.count, 2100);
    ck_assert_int_gt(delay_of(runtime, "prompt").max_ns, COACT_MS(4));
    stop_runtime(runtime);
}
END_TEST

START_TEST(who_misses_a_target_is_reported_once_a_second)
{
    struct coact_runtime *runtime = start_watched();
    run_both(3000, (struct taker){.ms = 0, .times = 1});
    ck_assert_uint_eq(hook.calls, 0);
    run_both(1000, (struct taker){.ms = 5, .times = 600});
    ck_assert_uint_ge(hook.calls, 2);
    ck_assert_uint_le(hook.calls, 4);
    ck_assert_str_eq(hook.last.role, "prompt");
    ck_assert_int_eq(hook.last.target_ns, COACT_MS(2));
    ck_assert_int_gt(hook.last.delay.p99_ns, COACT_MS(2));
    uint32_t calls = hook.calls;
    // The second in which it ended may be told of.
    run_both(4000, (struct taker){.ms = 0, .times = 1});
    ck_assert_uint_le(hook.calls, calls + 1);
    stop_runtime(runtime);
}
END_TEST

/* ---- Wake-ups ------------------------------------------------------------ */

static void
sender_body(peer_self self, void *arg)
{
    (void)self;
    peer_ref to = *(peer_ref *)arg;
    for (int i = 0; i < 20; i++) {
        coact_sleep(coact_in_ms(1));
        ck_assert_int_eq(coact_send(to, item, .number = 1), 0);
        take_time(COACT_MS(3));
    }
    ck_assert_int_eq(coact_send(to, go, 0), 0);
}

static void
reader_body(peer_self self, void *arg)
{
    (void)arg;
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m):
            (void)m;
            break;
        case COACT_ON(go, m):
            (void)m;
            is_over = true;
            break;
        }
    }
}

START_TEST(a_wake_up_by_a_message_is_measured_from_the_message_on)
{
    struct coact_runtime *runtime = start_watched();
    peer_ref reader;
    ck_assert_int_eq(coact_spawn_with(peer, &reader, reader_body, NULL,
                                      .role = coact_role_named("prompt")),
                     0);
    join_peer(spawn_peer(sender_body, &reader));
    join_peer(reader);
    struct coact_delay delay = delay_of(runtime, "prompt");
    // A look comes before each sleep of the sender ends.
    ck_assert_uint_ge(delay.count, 15);
    expect_about(delay.max_ns, COACT_MS(3), 64);
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_start_without_memory_leaves_nothing_of_the_roles)
{
    int rc = -1;
    for (unsigned long n = 1; rc != 0; n++) {
        const struct coact_runtime_options options = {.log = log_nothing};
        struct coact_runtime *runtime;
        coact__fail_nth(n, false);
        rc = coact_start(&options, &runtime);
        coact__fail_nth(0, false);
        ck_assert_uint_lt(n, 200);
        if (rc == 0) {
            ck_assert_int_eq(coact_stop(runtime, COACT_FOREVER), 0);
            ck_assert_int_eq(coact_free(runtime), 0);
        }
    }
}
END_TEST

SUITE_MAIN("delay_sim", a_sleeper_that_wakes_late_is_counted_with_how_late,
           quantiles_are_those_of_all_who_woke,
           the_last_second_forgets_what_was_before,
           who_misses_a_target_is_reported_once_a_second,
           a_wake_up_by_a_message_is_measured_from_the_message_on,
           a_start_without_memory_leaves_nothing_of_the_roles)
