/*
 * supervisor_intensity_test.c - when a supervisor gives up, and what follows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

static struct coact_reason
reason_of(coact_ref actor)
{
    struct coact_reason reason = {.code = -1};
    ck_assert_int_eq(coact_join(actor, coact_in_ms(60000), &reason), 0);
    return reason;
}

static void
exactly(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a"), TOY("b")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.children = children,
                                             .child_count = COUNT(children),
                                             .intensity = 3,
                                             .period_ns = COACT_SECONDS(1)});
    for (int i = 0; i < 3; i++) {
        blow_up(top, "a", -EIO);
    }
    SAW("+a +b -a +a -a +a -a +a");
    ck_assert_int_eq(look(top).restarts_left, 0);
    ck_assert(coact_is_alive(top.ref));
    stop(top);
}

START_TEST(s41_exactly_intensity_restarts_are_allowed)
{
    in_world(exactly);
}
END_TEST

static void
one_more(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a"), TOY("b"), TOY("c")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.children = children,
                                             .child_count = COUNT(children),
                                             .label = "bank",
                                             .intensity = 2});
    for (int i = 0; i < 3; i++) {
        blow_up(top, "b", -EIO);
    }
    SAW("+a +b +c -b +b -b +b -b -c -a");
    struct coact_monitor_id monitor;
    ck_assert_int_eq(coact_monitor(top.ref, &monitor), 0);
    COACT_RECEIVE(self, coact_in_ms(1000)) {
    case COACT_ON_DOWN(d):
        ck_assert_int_eq(d->reason.code, COACT_NOPROC);
        break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("it is still there");
        break;
    }
    LOGGED("error: supervisor bank: it gives up: child b ended: EIO: blown");
}

START_TEST(s41_one_more_and_the_children_stop_in_reverse)
{
    in_world(one_more);
}
END_TEST

static void
reason(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.children = children,
                                             .child_count = COUNT(children),
                                             .intensity = COACT_NO_RESTARTS});
    ck_assert_int_eq(coact_send(toy_of(top, "a"), blow, .code = -EIO), 0);
    struct coact_reason why = reason_of(top.ref);
    ck_assert_int_eq(why.code, COACT_GAVE_UP);
    ck_assert_str_eq(why.text, "child a: EIO: blown");
    ck_assert(!coact_reason_is_expected(why.code));
}

START_TEST(s41_giving_up_is_abnormal_and_names_child_and_reason)
{
    in_world(reason);
}
END_TEST

static void
window(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.children = children,
                                             .child_count = COUNT(children),
                                             .intensity = 2,
                                             .period_ns = COACT_SECONDS(1)});
    for (int i = 0; i < 20; i++) {
        blow_up(top, "a", -EIO);
        ck_assert_int_eq(coact_sleep(coact_in_ms(501)), 0);
    }
    ck_assert_uint_eq(look(top).restarts, 20);
    stop(top);
}

START_TEST(s41_old_restarts_leave_the_window)
{
    in_world(window);
}
END_TEST

static void
escalates(world_self self)
{
    (void)self;
    struct coact_child leaves[] = {TOY("x"), TOY("y")};
    struct coact_supervisor below = {
        .children = leaves, .child_count = COUNT(leaves), .intensity = 1};
    struct coact_child children[] = {
        TOY("a"),
        COACT_CHILD_SUPERVISOR("below", &below, .restart = COACT_TRANSIENT)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    coact_supervisor_ref inner;
    ck_assert_int_eq(
        coact_child_find_supervisor(top, "below", &inner, coact_in_ms(10)), 0);
    coact_ref was = inner.ref;
    blow_up(inner, "x", -EIO);
    blow_up(inner, "x", -EIO);
    SAW("+a +x +y -x +x -x -y +x +y");
    ck_assert_int_eq(
        coact_child_find_supervisor(top, "below", &inner, coact_in_ms(10)), 0);
    ck_assert(!coact_ref_equal(was, inner.ref));
    ck_assert_uint_eq(look(top).restarts, 1);
    LOGGED("child below ended: gave up: child x: EIO: blown; restart 1 of 10");
    stop(top);
    SAW("-y -x -a");
}

START_TEST(s41_a_transient_supervisor_that_gave_up_is_restarted)
{
    in_world(escalates);
}
END_TEST

static void
no_limit(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a")};
    coact_supervisor_ref top = supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children),
                                   .intensity = COACT_RESTART_FOREVER});
    for (int i = 0; i < 1000; i++) {
        blow_up(top, "a", -EIO);
        world_trace[0] = '\0';
    }
    ck_assert_int_eq(coact_sleep(coact_in_ms(1500)), 0);
    world_log[0] = '\0';
    blow_up(top, "a", -EIO);
    ck_assert_uint_eq(look(top).restarts, 1001);
    ck_assert_int_eq(look(top).restarts_left, COACT_RESTART_FOREVER);
    stop(top);
    LOGGED("more lines held back)");
}

START_TEST(an_intensity_without_limit_never_gives_up)
{
    in_world(no_limit);
}
END_TEST

SUITE_MAIN("supervisor_intensity", s41_exactly_intensity_restarts_are_allowed,
           s41_one_more_and_the_children_stop_in_reverse,
           s41_giving_up_is_abnormal_and_names_child_and_reason,
           s41_old_restarts_leave_the_window,
           s41_a_transient_supervisor_that_gave_up_is_restarted,
           an_intensity_without_limit_never_gives_up)
