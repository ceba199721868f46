/*
 * supervisor_threads_test.c - trees on real threads, used from outside.
 *
 * The host thread kills what it finds while workers restart it.  What may come
 * in which order is open; what must be there at the end is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include <coact/actor.h>
#include <coact/runtime.h>
#include <coact/supervisor.h>

#include <stdatomic.h>

struct nudge {
    int32_t code;
};
COACT_MESSAGE(nudge, (1, code));
COACT_MAILBOX(doll, nudge);

static _Atomic int alive, started;

static void
one_less(void *arg)
{
    (void)arg;
    atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
}

static void
doll_run(doll_self self, void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&started, 1, memory_order_relaxed);
    COACT_CHECK(coact_defer(one_less, NULL) == 0);
    COACT_CHECK(coact_started() == 0);
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(nudge, m): {
            if (m->code != 0) {
                coact_fail(m->code, "nudged");
            }
            is_over = true;
        } break;
        }
    }
}

#define DOLL(id)                                                               \
    COACT_CHILD(doll, id, doll_run, NULL, .wait_init = true,                   \
                .backoff = {.first_ns = COACT_NO_BACKOFF})

static struct coact_runtime *
start_world(void)
{
    struct coact_runtime *runtime = NULL;
    struct coact_runtime_options options = {.workers = 4,
                                            .log_level = COACT_LOG_NONE};
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

static void
end_world(struct coact_runtime *runtime)
{
    coact_detach();
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(5000)), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
    ck_assert_int_eq(atomic_load(&alive), 0);
}

START_TEST(a_tree_of_threads_has_all_children_after_many_kills)
{
    struct coact_runtime *runtime = start_world();
    static const struct coact_child leaves[] = {DOLL("x"), DOLL("y"),
                                                DOLL("z")};
    struct coact_supervisor below = {.children = leaves,
                                     .child_count = 3,
                                     .strategy = COACT_ONE_FOR_ALL,
                                     .intensity = COACT_RESTART_FOREVER};
    const struct coact_child children[] = {
        DOLL("a"), COACT_CHILD_SUPERVISOR("in", &below), DOLL("c")};
    coact_supervisor_ref top, in;
    struct coact_reason why;
    int rc = coact_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = 3,
                                   .strategy = COACT_REST_FOR_ONE,
                                   .intensity = COACT_RESTART_FOREVER},
        coact_in_ms(5000), &top, &why);
    ck_assert_msg(rc == 0, "%s: %s", coact_strerror(rc), why.text);
    for (int i = 0; i < 300; i++) {
        doll_ref doll;
        ck_assert_int_eq(
            coact_child_find_supervisor(top, "in", &in, coact_in_ms(5000)), 0);
        rc = coact_child_find(in, doll, i % 2 ? "x" : "y", &doll,
                              coact_in_ms(5000));
        if (rc == 0) {
            coact_kill(doll.ref);
        }
        if (i % 10 == 0) {
            ck_assert_int_eq(
                coact_child_find(top, doll, "a", &doll, coact_in_ms(5000)), 0);
            coact_send(doll, nudge, .code = -EIO);
        }
        if (i % 50 == 0) {
            coact_kill(in.ref);
        }
    }
    doll_ref doll;
    ck_assert_int_eq(coact_child_find(top, doll, "c", &doll, coact_in_ms(5000)),
                     0);
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(5000), &why), 0);
    ck_assert_int_gt(atomic_load(&started), 300);
    end_world(runtime);
}
END_TEST

START_TEST(dynamic_children_come_and_go_from_outside)
{
    struct coact_runtime *runtime = start_world();
    coact_supervisor_ref top;
    ck_assert_int_eq(
        coact_supervise(&(struct coact_supervisor){.strategy = COACT_DYNAMIC},
                        coact_in_ms(5000), &top, NULL),
        0);
    for (int i = 0; i < 200; i++) {
        doll_ref doll;
        ck_assert_int_eq(coact_child_start(top, doll, &doll, coact_in_ms(5000),
                                           NULL, doll_run, NULL,
                                           .restart = COACT_TEMPORARY),
                         0);
        if (i % 3 == 0) {
            coact_kill(doll.ref);
        }
        if (i % 3 == 1) {
            int rc =
                coact_child_terminate_ref(top, doll.ref, coact_in_ms(5000));
            ck_assert_int_eq(rc, 0);
        }
    }
    struct coact_supervisor_info info;
    ck_assert_int_eq(coact_supervisor_look(top, coact_in_ms(5000), &info), 0);
    ck_assert_uint_ge(info.specs, 66);
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(5000), NULL), 0);
    end_world(runtime);
}
END_TEST

START_TEST(stopping_the_runtime_stops_its_trees)
{
    struct coact_runtime *runtime = start_world();
    static const struct coact_child children[] = {DOLL("a"), DOLL("b")};
    coact_supervisor_ref top;
    ck_assert_int_eq(
        coact_supervise(
            &(struct coact_supervisor){.children = children, .child_count = 2},
            coact_in_ms(5000), &top, NULL),
        0);
    ck_assert_int_eq(atomic_load(&alive), 2);
    end_world(runtime);
    ck_assert_int_eq(atomic_load(&started), 2);
}
END_TEST

/* Never waits, so that nothing in this process can end it, until it is let. */
static _Atomic bool may_end;
static _Atomic bool is_spinning;

static void
spin_run(doll_self self, void *arg)
{
    (void)self;
    (void)arg;
    atomic_store_explicit(&is_spinning, true, memory_order_relaxed);
    while (!atomic_load_explicit(&may_end, memory_order_relaxed)) {
    }
}

START_TEST(a_child_that_never_waits_can_be_abandoned)
{
    struct coact_runtime *runtime = start_world();
    static const struct coact_child children[] = {
        DOLL("a"), COACT_CHILD(doll, "spin", spin_run, NULL, .abandon = true,
                               .shutdown_ns = COACT_MS(20))};
    coact_supervisor_ref top;
    ck_assert_int_eq(
        coact_supervise(
            &(struct coact_supervisor){.children = children, .child_count = 2},
            coact_in_ms(5000), &top, NULL),
        0);
    while (!atomic_load_explicit(&is_spinning, memory_order_relaxed)) {
    }
    doll_ref spinner;
    ck_assert_int_eq(
        coact_child_find(top, doll, "spin", &spinner, coact_in_ms(5000)), 0);
    ck_assert_int_eq(coact_child_terminate(top, "spin", coact_in_ms(5000)), 0);
    ck_assert(coact_is_alive(spinner.ref));
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(5000), NULL), 0);
    atomic_store_explicit(&may_end, true, memory_order_relaxed);
    ck_assert_int_eq(coact_join(spinner.ref, coact_in_ms(5000), NULL), 0);
    end_world(runtime);
}
END_TEST

START_TEST(a_thread_that_is_not_attached_is_told)
{
    coact_supervisor_ref top;
    ck_assert_int_eq(
        coact_supervise(&(struct coact_supervisor){.child_count = 0},
                        COACT_FOREVER, &top, NULL),
        -EPERM);
}
END_TEST

SUITE_MAIN("supervisor_threads",
           a_tree_of_threads_has_all_children_after_many_kills,
           dynamic_children_come_and_go_from_outside,
           stopping_the_runtime_stops_its_trees,
           a_child_that_never_waits_can_be_abandoned,
           a_thread_that_is_not_attached_is_told)
