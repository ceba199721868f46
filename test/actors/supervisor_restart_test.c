/*
 * supervisor_restart_test.c - who is restarted after which end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

/* ---- Restart rules ------------------------------------------------------- */

static void
permanent(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY_WITH("a", .restart = COACT_PERMANENT)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    SAW("+a");
    blow_up(top, "a", 0);
    SAW("-a +a");
    blow_up(top, "a", COACT_SHUTDOWN);
    SAW("-a +a");
    blow_up(top, "a", -EIO);
    SAW("-a +a");
    ck_assert_int_eq(coact_kill(toy_of(top, "a").ref), 0);
    settle();
    SAW("-a +a");
    ck_assert_uint_eq(look(top).restarts, 4);
    stop(top);
    SAW("-a");
}

START_TEST(s37_permanent_child_is_restarted_after_any_end)
{
    in_world(permanent);
}
END_TEST

static void
transient(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY_WITH("a", .restart = COACT_TRANSIENT),
                                     TOY_WITH("b", .restart = COACT_TRANSIENT)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    blow_up(top, "a", -EIO);
    blow_up(top, "a", 300);
    ck_assert_int_eq(coact_kill(toy_of(top, "a").ref), 0);
    settle();
    SAW("+a +b -a +a -a +a -a +a");
    blow_up(top, "a", 0);
    blow_up(top, "b", COACT_SHUTDOWN);
    SAW("-a -b");
    struct coact_supervisor_info info = look(top);
    ck_assert_uint_eq(info.specs, 2);
    ck_assert_uint_eq(info.stopped, 2);
    ck_assert_uint_eq(info.restarts, 3);
    stop(top);
    SAW("");
}

START_TEST(s37_transient_child_is_restarted_only_after_an_abnormal_end)
{
    in_world(transient);
}
END_TEST

static void
temporary(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY_WITH("a", .restart = COACT_TEMPORARY),
                                     TOY_WITH("b", .restart = COACT_TEMPORARY),
                                     TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    blow_up(top, "a", -EIO);
    blow_up(top, "b", 0);
    SAW("+a +b +c -a -b");
    ck_assert_uint_eq(look(top).specs, 1);
    ck_assert_int_eq(coact_child_delete(top, "a", coact_in_ms(100)), -ENOENT);
    stop(top);
    SAW("-c");
}

START_TEST(s37_temporary_child_is_never_restarted_and_its_spec_goes)
{
    in_world(temporary);
}
END_TEST

/* ---- Groups -------------------------------------------------------------- */

static void
one_for_all(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a"), TOY("b"), TOY("c")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_ONE_FOR_ALL,
                                             .children = children,
                                             .child_count = COUNT(children)});
    SAW("+a +b +c");
    blow_up(top, "b", -EIO);
    SAW("-b -c -a +a +b +c");
    ck_assert_uint_eq(look(top).restarts, 1);
    ck_assert_int_eq(look(top).restarts_left, 9);
    blow_up(top, "a", 0);
    SAW("-a -c -b +a +b +c");
    ck_assert_int_eq(look(top).restarts_left, 8);
    stop(top);
    SAW("-c -b -a");
}

START_TEST(s38_one_for_all_stops_in_reverse_starts_in_order_counts_once)
{
    in_world(one_for_all);
}
END_TEST

static void
group_and_temporary(world_self self)
{
    (void)self;
    struct coact_child children[] = {
        TOY("a"), TOY_WITH("t", .restart = COACT_TEMPORARY), TOY("c")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_ONE_FOR_ALL,
                                             .children = children,
                                             .child_count = COUNT(children)});
    blow_up(top, "a", -EIO);
    SAW("+a +t +c -a -c -t +a +c");
    ck_assert_uint_eq(look(top).specs, 2);
    stop(top);
    SAW("-c -a");
}

START_TEST(s38_temporary_child_does_not_come_back_with_its_group)
{
    in_world(group_and_temporary);
}
END_TEST

static void
group_and_finished(world_self self)
{
    (void)self;
    struct coact_child children[] = {
        TOY("a"), TOY_WITH("t", .restart = COACT_TRANSIENT), TOY("c")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_ONE_FOR_ALL,
                                             .children = children,
                                             .child_count = COUNT(children)});
    blow_up(top, "t", 0);
    SAW("+a +t +c -t");
    blow_up(top, "c", -EIO);
    SAW("-c -a +a +t +c");
    stop(top);
    SAW("-c -t -a");
}

START_TEST(s38_finished_transient_child_comes_back_with_its_group)
{
    in_world(group_and_finished);
}
END_TEST

static void
rest_for_one(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a"), TOY("b"), TOY("c"), TOY("d")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_REST_FOR_ONE,
                                             .children = children,
                                             .child_count = COUNT(children)});
    coact_ref a = toy_of(top, "a").ref, b = toy_of(top, "b").ref;
    coact_ref c = toy_of(top, "c").ref, d = toy_of(top, "d").ref;
    blow_up(top, "c", -EIO);
    SAW("+a +b +c +d -c -d +c +d");
    ck_assert(coact_ref_equal(a, toy_of(top, "a").ref));
    ck_assert(coact_ref_equal(b, toy_of(top, "b").ref));
    ck_assert(!coact_ref_equal(c, toy_of(top, "c").ref));
    ck_assert(!coact_ref_equal(d, toy_of(top, "d").ref));
    ck_assert(coact_is_alive(a));
    stop(top);
    SAW("-d -c -b -a");
}

START_TEST(s39_rest_for_one_keeps_the_address_of_earlier_siblings)
{
    in_world(rest_for_one);
}
END_TEST

static void
normal_end(world_self self)
{
    (void)self;
    for (int s = COACT_ONE_FOR_ONE; s <= COACT_REST_FOR_ONE; s++) {
        struct coact_child children[] = {
            TOY("a"), TOY_WITH("t", .restart = COACT_TRANSIENT), TOY("c")};
        coact_supervisor_ref top = supervise(
            &(struct coact_supervisor){.strategy = (enum coact_strategy)s,
                                       .children = children,
                                       .child_count = COUNT(children)});
        coact_ref a = toy_of(top, "a").ref, c = toy_of(top, "c").ref;
        blow_up(top, "t", 0);
        SAW("+a +t +c -t");
        ck_assert(coact_ref_equal(a, toy_of(top, "a").ref));
        ck_assert(coact_ref_equal(c, toy_of(top, "c").ref));
        ck_assert_uint_eq(look(top).restarts, 0);
        stop(top);
        SAW("-c -a");
    }
}

START_TEST(s40_transient_child_that_ends_normally_affects_nobody)
{
    in_world(normal_end);
}
END_TEST

/* Two fail at once: the second is on its way down when its turn to stop comes,
   and is not counted. */
static void
two_at_once(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a"), TOY("b"), TOY("c")};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_ONE_FOR_ALL,
                                             .children = children,
                                             .child_count = COUNT(children)});
    toy_ref a = toy_of(top, "a"), b = toy_of(top, "b");
    ck_assert_int_eq(coact_send(a, blow, .code = -EIO), 0);
    ck_assert_int_eq(coact_send(b, blow, .code = -EIO), 0);
    settle();
    SAW("+a +b +c -a -b -c +a +b +c");
    ck_assert_uint_eq(look(top).restarts, 1);
    stop(top);
}

START_TEST(two_failures_of_one_group_at_once_are_one_restart)
{
    in_world(two_at_once);
}
END_TEST

static void
history(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("a")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children), .label = "top"});
    for (int i = 1; i <= COACT_CHILD_ENDS + 1; i++) {
        blow_up(top, "a", 300 + i);
    }
    LOGGED("supervisor top: child a ended: failed: blown; restart 1 of 10");
    stop(top);
}

START_TEST(the_log_names_supervisor_child_reason_and_count)
{
    in_world(history);
}
END_TEST

SUITE_MAIN("supervisor_restart", s37_permanent_child_is_restarted_after_any_end,
           s37_transient_child_is_restarted_only_after_an_abnormal_end,
           s37_temporary_child_is_never_restarted_and_its_spec_goes,
           s38_one_for_all_stops_in_reverse_starts_in_order_counts_once,
           s38_temporary_child_does_not_come_back_with_its_group,
           s38_finished_transient_child_comes_back_with_its_group,
           s39_rest_for_one_keeps_the_address_of_earlier_siblings,
           s40_transient_child_that_ends_normally_affects_nobody,
           two_failures_of_one_group_at_once_are_one_restart,
           the_log_names_supervisor_child_reason_and_count)
