/*
 * supervisor_dynamic_test.c - children that come and go by the thousand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

#define SOON coact_in_ms(1000)

static size_t alive, asked;

static void
one_less(void *arg)
{
    (void)arg;
    alive--;
}

/* Traps exits, and takes its time when it is asked to end. */
static void
slow_run(toy_self self, void *arg)
{
    int64_t dawdle_ns = *(int64_t *)arg;
    alive++;
    COACT_CHECK(coact_defer(one_less, NULL) == 0);
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(blow, m): {
            if (m->code != 0) {
                coact_fail(m->code, "blown");
            }
            is_over = true;
        } break;
        case COACT_ON_EXIT(e): {
            (void)e;
            asked++;
            coact_sleep(coact_in_ns(dawdle_ns));
            is_over = true;
        } break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}

static void
start_many(coact_supervisor_ref top, size_t many, int64_t *dawdle_ns)
{
    for (size_t i = 0; i < many; i++) {
        toy_ref toy;
        ck_assert_int_eq(coact_child_start(top, toy, &toy, coact_in_ms(60000),
                                           NULL, slow_run, dawdle_ns,
                                           .shutdown_ns = COACT_MS(500),
                                           .options = {.trap_exit = true}),
                         0);
    }
    settle();
    ck_assert_uint_eq(alive, many);
    ck_assert_uint_eq(look(top).running, many);
}

/* The thread sanitizer stops at 8,128 stacks, and the other one is slow. */
#if defined(__SANITIZE_THREAD__)
#define MANY 5000
#elif defined(__SANITIZE_ADDRESS__)
#define MANY 20000
#else
#define MANY 100000
#endif

static void
in_parallel(world_self self)
{
    (void)self;
    int64_t dawdle_ns = COACT_MS(300);
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_DYNAMIC});
    start_many(top, MANY, &dawdle_ns);
    int64_t before_ns = coact_now_ns();
    stop(top);
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(500));
    ck_assert_uint_eq(asked, MANY);
    ck_assert_uint_eq(alive, 0);
    NOT_LOGGED("is killed");
}

START_TEST(s48_100000_dynamic_children_stop_in_parallel)
{
    in_world(in_parallel);
}
END_TEST

static void
within_one_timeout(world_self self)
{
    (void)self;
    int64_t dawdle_ns = COACT_SECONDS(1000);
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_DYNAMIC});
    start_many(top, 1000, &dawdle_ns);
    int64_t before_ns = coact_now_ns();
    stop(top);
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(500));
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(510));
    ck_assert_uint_eq(asked, 1000);
    ck_assert_uint_eq(alive, 0);
    LOGGED("child (no id) has not ended 500 ms after it was asked to");
}

START_TEST(s48_children_that_do_not_end_are_killed_within_one_timeout)
{
    in_world(within_one_timeout);
}
END_TEST

static void
forgotten(world_self self)
{
    (void)self;
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .strategy = COACT_DYNAMIC, .max_children = 2});
    toy_ref a, b, c;
    ck_assert_int_eq(coact_child_start(top, toy, &a, SOON, "a", toy_run,
                                       (void *)(uintptr_t) "a",
                                       .restart = COACT_TRANSIENT),
                     0);
    ck_assert_int_eq(coact_child_start(top, toy, &b, SOON, "b", toy_run,
                                       (void *)(uintptr_t) "b"),
                     0);
    ck_assert_int_eq(coact_child_start(top, toy, &c, SOON, "c", toy_run,
                                       (void *)(uintptr_t) "c"),
                     -EAGAIN);
    settle();
    blow_up(top, "a", -EIO);
    ck_assert_uint_eq(look(top).specs, 2);
    blow_up(top, "a", 0);
    ck_assert_uint_eq(look(top).specs, 1);
    ck_assert_int_eq(coact_child_terminate_ref(top, b.ref, SOON), 0);
    ck_assert_int_eq(coact_child_terminate_ref(top, b.ref, SOON), -ENOENT);
    ck_assert_uint_eq(look(top).specs, 0);
    ck_assert_int_eq(coact_child_start(top, toy, &c, SOON, "c", toy_run,
                                       (void *)(uintptr_t) "c",
                                       .wait_init = true),
                     0);
    stop(top);
    ck_assert_ptr_nonnull(strstr(world_trace, "-b +c -c"));
}

START_TEST(a_dynamic_child_that_ends_for_good_is_forgotten)
{
    in_world(forgotten);
}
END_TEST

static void
restarts(world_self self)
{
    (void)self;
    int64_t dawdle_ns = 0;
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .strategy = COACT_DYNAMIC, .intensity = COACT_RESTART_FOREVER});
    start_many(top, 1000, &dawdle_ns);
    toy_ref toy;
    ck_assert_int_eq(
        coact_child_start(top, toy, &toy, SOON, "x", slow_run, &dawdle_ns), 0);
    settle();
    for (int i = 0; i < 500; i++) {
        blow_up(top, "x", -EIO);
    }
    ck_assert_uint_eq(look(top).restarts, 500);
    ck_assert_uint_eq(look(top).running, 1001);
    stop(top);
    ck_assert_uint_eq(alive, 0);
}

START_TEST(one_dynamic_child_is_restarted_among_many)
{
    in_world(restarts);
}
END_TEST

SUITE_MAIN("supervisor_dynamic", s48_100000_dynamic_children_stop_in_parallel,
           s48_children_that_do_not_end_are_killed_within_one_timeout,
           a_dynamic_child_that_ends_for_good_is_forgotten,
           one_dynamic_child_is_restarted_among_many)
