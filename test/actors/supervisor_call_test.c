/*
 * supervisor_call_test.c - the list of children changes while they run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

#define SOON coact_in_ms(1000)

static coact_supervisor_ref
three(enum coact_strategy strategy)
{
    struct coact_child children[] = {
        TOY("a"), TOY_WITH("b", .backoff = {.first_ns = COACT_SECONDS(10)}),
        TOY("c")};
    return supervise(&(struct coact_supervisor){.children = children,
                                                .child_count = COUNT(children),
                                                .strategy = strategy});
}

static void
terminates(world_self self)
{
    (void)self;
    coact_supervisor_ref top = three(COACT_ONE_FOR_ONE);
    ck_assert_int_eq(coact_child_terminate(top, "b", SOON), 0);
    SAW("+a +b +c -b");
    ck_assert_int_eq(coact_child_terminate(top, "b", SOON), 0);
    ck_assert_uint_eq(look(top).stopped, 1);
    ck_assert_uint_eq(look(top).restarts, 0);
    ck_assert_int_eq(coact_child_restart(top, "b", SOON, NULL), 0);
    ck_assert_int_eq(coact_child_restart(top, "b", SOON, NULL), -EBUSY);
    SAW("+b");
    ck_assert_int_eq(coact_child_terminate(top, "nobody", SOON), -ENOENT);
    ck_assert_int_eq(coact_child_restart(top, "nobody", SOON, NULL), -ENOENT);
    ck_assert_int_eq(coact_child_terminate(top, "", SOON), -EINVAL);
    stop(top);
    SAW("-c -b -a");
    ck_assert_int_eq(coact_child_terminate(top, "a", SOON), -ESRCH);
}

START_TEST(a_terminated_child_stays_away_until_it_is_restarted)
{
    in_world(terminates);
}
END_TEST

static void
while_restarting(world_self self)
{
    (void)self;
    for (int s = COACT_ONE_FOR_ONE; s <= COACT_REST_FOR_ONE; s++) {
        coact_supervisor_ref top = three((enum coact_strategy)s);
        blow_up(top, "b", -EIO);
        ck_assert_uint_ge(look(top).waiting, 1);
        ck_assert_int_eq(coact_child_restart(top, "b", SOON, NULL), -EALREADY);
        ck_assert_int_eq(coact_child_delete(top, "b", SOON), -EALREADY);
        ck_assert_int_eq(coact_child_terminate(top, "b", SOON), -EALREADY);
        world_trace[0] = '\0';
        // It was told, and it stays away; its group comes back without it.
        ck_assert_int_eq(coact_sleep(coact_in_ms(20000)), 0);
        ck_assert_uint_eq(look(top).waiting, 0);
        ck_assert_uint_eq(look(top).stopped, 1);
        SAW(s == COACT_ONE_FOR_ONE   ? ""
            : s == COACT_ONE_FOR_ALL ? "+a +c"
                                     : "+c");
        ck_assert_int_eq(coact_child_delete(top, "b", SOON), 0);
        ck_assert_uint_eq(look(top).specs, 2);
        stop(top);
        world_trace[0] = '\0';
    }
}

START_TEST(s46_terminate_child_while_it_is_restarting_is_a_clear_error)
{
    in_world(while_restarting);
}
END_TEST

static void
deletes(world_self self)
{
    (void)self;
    coact_supervisor_ref top = three(COACT_ONE_FOR_ONE);
    ck_assert_int_eq(coact_child_delete(top, "b", SOON), -EBUSY);
    ck_assert_int_eq(coact_child_terminate(top, "b", SOON), 0);
    ck_assert_int_eq(coact_child_delete(top, "b", SOON), 0);
    ck_assert_int_eq(coact_child_delete(top, "b", SOON), -ENOENT);
    ck_assert_uint_eq(look(top).specs, 2);
    stop(top);
    SAW("+a +b +c -b -c -a");
}

START_TEST(s46_delete_child_while_it_runs_is_a_clear_error)
{
    in_world(deletes);
}
END_TEST

static void
delete_supervisor(world_self self)
{
    (void)self;
    struct coact_child leaves[] = {TOY("x")};
    struct coact_supervisor below = {.children = leaves, .child_count = 1};
    coact_supervisor_ref top = three(COACT_ONE_FOR_ONE);
    struct coact_child in = COACT_CHILD_SUPERVISOR("in", &below);
    ck_assert_int_eq(coact_child_add(top, &in, SOON, NULL, NULL), 0);
    ck_assert_uint_eq(look(top).supervisors, 1);
    ck_assert_int_eq(coact_child_terminate(top, "in", SOON), 0);
    ck_assert_int_eq(coact_child_delete(top, "in", SOON), 0);
    ck_assert_uint_eq(look(top).supervisors, 0);
    stop(top);
    SAW("+a +b +c +x -x -c -b -a");
}

START_TEST(a_supervisor_can_be_added_terminated_and_deleted)
{
    in_world(delete_supervisor);
}
END_TEST

/* ---- While other things happen ------------------------------------------- */

struct asker {
    coact_supervisor_ref top;
    int rc;
    bool is_done;
};

static void
ask_to_find(toy_self self, void *arg)
{
    (void)self;
    struct asker *asker = arg;
    toy_ref toy;
    asker->rc = coact_child_find(asker->top, toy, "b", &toy, COACT_FOREVER);
    asker->is_done = true;
}

static void
ask_to_terminate(toy_self self, void *arg)
{
    (void)self;
    struct asker *asker = arg;
    asker->rc = coact_child_terminate(asker->top, "c", COACT_FOREVER);
    asker->is_done = true;
}

static void
start_asker(void (*run)(toy_self self, void *arg), struct asker *asker)
{
    toy_ref toy;
    ck_assert_int_eq(coact_spawn(toy, &toy, run, asker), 0);
}

static void
stop_while_waiting(world_self self)
{
    (void)self;
    struct asker asker = {.top = three(COACT_ONE_FOR_ONE)};
    blow_up(asker.top, "b", -EIO);
    SAW("+a +b +c -b");
    start_asker(ask_to_find, &asker);
    settle();
    ck_assert(!asker.is_done);
    stop(asker.top);
    settle();
    ck_assert(asker.is_done);
    ck_assert_int_eq(asker.rc, -ESHUTDOWN);
    SAW("-c -a");
}

START_TEST(who_waits_for_a_child_is_told_that_its_supervisor_ends)
{
    in_world(stop_while_waiting);
}
END_TEST

/* Traps exits, and takes a minute to end. */
static void
dawdle_run(toy_self self, void *arg)
{
    note("+%s", (const char *)arg);
    COACT_CHECK(coact_defer(toy_has_ended, arg) == 0);
    COACT_CHECK(coact_started() == 0);
    COACT_RECEIVE_ONLY(self, COACT_FOREVER, coact_exit) {
    case COACT_ON_EXIT(e):
        (void)e;
        break;
    }
    coact_sleep(coact_in_ms(60000));
}

static coact_supervisor_ref
with_dawdler(enum coact_strategy strategy)
{
    struct coact_child children[] = {
        TOY("a"), TOY_WITH("b", .backoff = {.first_ns = COACT_SECONDS(10)}),
        COACT_CHILD(toy, "c", dawdle_run, (void *)(uintptr_t) "c",
                    .wait_init = true, .shutdown_ns = COACT_FOREVER,
                    .options = {.trap_exit = true})};
    return supervise(&(struct coact_supervisor){.children = children,
                                                .child_count = COUNT(children),
                                                .strategy = strategy});
}

static void
no_restart_at_the_end(world_self self)
{
    (void)self;
    coact_supervisor_ref top = with_dawdler(COACT_ONE_FOR_ONE);
    blow_up(top, "b", -EIO);
    struct coact_reason why;
    ck_assert_int_eq(coact_supervisor_stop(top, COACT_FOREVER, &why), 0);
    SAW("+a +b +c -b -c -a");
}

START_TEST(a_restart_that_falls_due_during_the_shutdown_does_not_happen)
{
    in_world(no_restart_at_the_end);
}
END_TEST

static void
terminated_with_group(world_self self)
{
    (void)self;
    struct asker asker = {.top = with_dawdler(COACT_ONE_FOR_ALL)};
    start_asker(ask_to_terminate, &asker);
    settle();
    blow_up(asker.top, "a", -EIO);
    ck_assert_int_eq(coact_sleep(coact_in_ms(70000)), 0);
    ck_assert(asker.is_done);
    ck_assert_int_eq(asker.rc, 0);
    SAW("+a +b +c -a -c -b +a +b");
    stop(asker.top);
}

START_TEST(a_child_that_is_being_terminated_does_not_return_with_its_group)
{
    in_world(terminated_with_group);
}
END_TEST

/* ---- Starting ------------------------------------------------------------ */

static void
bad_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    coact_fail(-EIO, "no disk");
}

static void
adds(world_self self)
{
    (void)self;
    coact_supervisor_ref top = three(COACT_ONE_FOR_ONE);
    toy_ref d;
    ck_assert_int_eq(coact_child_start(top, toy, &d, SOON, "d", toy_run,
                                       (void *)(uintptr_t) "d",
                                       .wait_init = true),
                     0);
    ck_assert(coact_ref_equal(d.ref, toy_of(top, "d").ref));
    ck_assert_int_eq(coact_child_start(top, toy, &d, SOON, "d", toy_run, NULL),
                     -EEXIST);
    struct coact_reason why = {.code = 0};
    struct coact_child bad =
        COACT_CHILD(toy, "e", bad_run, NULL, .wait_init = true);
    ck_assert_int_eq(coact_child_add(top, &bad, SOON, NULL, &why), -EIO);
    ck_assert_int_eq(why.code, -EIO);
    ck_assert_str_eq(why.text, "no disk");
    ck_assert_uint_eq(look(top).specs, 4);
    struct coact_child odd = COACT_CHILD(toy, NULL, toy_run, NULL);
    ck_assert_int_eq(coact_child_add(top, &odd, SOON, NULL, NULL), -EINVAL);
    LOGGED("it has no id");
    odd = (struct coact_child)TOY_WITH("f", .significant = true,
                                       .restart = COACT_TRANSIENT);
    ck_assert_int_eq(coact_child_add(top, &odd, SOON, NULL, NULL), -EINVAL);
    LOGGED("it is significant, but auto_shutdown is never");
    stop(top);
    SAW("+a +b +c +d -d -c -b -a");
}

START_TEST(a_child_is_added_at_the_end_or_not_at_all)
{
    in_world(adds);
}
END_TEST

static void
group_first(world_self self)
{
    (void)self;
    coact_supervisor_ref top = three(COACT_ONE_FOR_ALL);
    world_trace[0] = '\0';
    blow_up(top, "b", -EIO);
    toy_ref d;
    int64_t before_ns = coact_now_ns();
    ck_assert_int_eq(coact_child_start(top, toy, &d, coact_in_ms(30000), "d",
                                       toy_run, (void *)(uintptr_t) "d",
                                       .wait_init = true),
                     0);
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_SECONDS(4));
    SAW("-b -c -a +a +b +c +d");
    stop(top);
    world_trace[0] = '\0';
}

START_TEST(a_child_is_not_added_into_a_group_that_is_restarting)
{
    in_world(group_first);
}
END_TEST

static void
finds(world_self self)
{
    (void)self;
    struct coact_child none[] = {TOY("x")};
    struct coact_supervisor below = {.children = none, .child_count = 1};
    struct coact_child children[] = {TOY("a"),
                                     COACT_CHILD_SUPERVISOR("in", &below)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = 2, .name = "the-top"});
    coact_supervisor_ref again, in;
    ck_assert_int_eq(coact_supervisor_whereis("the-top", &again), 0);
    ck_assert(coact_ref_equal(top.ref, again.ref));
    toy_ref toy;
    world_ref other;
    ck_assert_int_eq(coact_child_find(top, toy, "in", &toy, SOON), -EINVAL);
    ck_assert_int_eq(coact_child_find(top, world, "a", &other, SOON), -EINVAL);
    ck_assert_int_eq(coact_child_find(top, toy, "z", &toy, SOON), -ENOENT);
    ck_assert_int_eq(coact_child_find_supervisor(top, "a", &in, SOON), -EINVAL);
    ck_assert_int_eq(coact_child_find_supervisor(top, "in", &in, SOON), 0);
    ck_assert_int_eq(coact_child_terminate(top, "a", SOON), 0);
    ck_assert_int_eq(coact_child_find(top, toy, "a", &toy, SOON), -ESRCH);
    struct coact_supervisor_info info = look(top);
    ck_assert_uint_eq(info.supervisors, 1);
    ck_assert_uint_eq(info.specs, 2);
    ck_assert_str_eq(look(in).label, "in");
    stop(top);
}

START_TEST(a_child_is_found_by_its_id_and_mailbox)
{
    in_world(finds);
}
END_TEST

/* ---- auto_shutdown ------------------------------------------------------- */

static coact_supervisor_ref
significant(enum coact_auto_shutdown how)
{
    struct coact_child children[] = {
        TOY_WITH("a", .restart = COACT_TRANSIENT, .significant = true),
        TOY_WITH("b", .restart = COACT_TEMPORARY, .significant = true),
        TOY("c")};
    return supervise(&(struct coact_supervisor){.children = children,
                                                .child_count = COUNT(children),
                                                .auto_shutdown = how});
}

static int
end_of(coact_supervisor_ref top)
{
    struct coact_reason why = {.code = -1};
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(10), &why), 0);
    return why.code;
}

static void
any(world_self self)
{
    (void)self;
    coact_supervisor_ref top = significant(COACT_AUTO_ANY);
    blow_up(top, "a", -EIO); // comes back: that does not count
    SAW("+a +b +c -a +a");
    ck_assert_int_eq(coact_send(toy_of(top, "a"), blow, .code = 0), 0);
    ck_assert_int_eq(end_of(top), COACT_SHUTDOWN);
    SAW("-a -c -b");
    top = significant(COACT_AUTO_ANY);
    ck_assert_int_eq(coact_send(toy_of(top, "b"), blow, .code = -EIO), 0);
    ck_assert_int_eq(end_of(top), COACT_SHUTDOWN);
    SAW("+a +b +c -b -c -a");
}

START_TEST(s47_auto_shutdown_any_ends_with_the_first_significant_child)
{
    in_world(any);
}
END_TEST

static void
all(world_self self)
{
    (void)self;
    coact_supervisor_ref top = significant(COACT_AUTO_ALL);
    blow_up(top, "b", 0);
    SAW("+a +b +c -b");
    ck_assert(coact_is_alive(top.ref));
    ck_assert_int_eq(coact_send(toy_of(top, "a"), blow, .code = 0), 0);
    ck_assert_int_eq(end_of(top), COACT_SHUTDOWN);
    SAW("-a -c");
}

START_TEST(s47_auto_shutdown_all_ends_with_the_last_significant_child)
{
    in_world(all);
}
END_TEST

static void
terminated(world_self self)
{
    (void)self;
    coact_supervisor_ref top = significant(COACT_AUTO_ANY);
    ck_assert_int_eq(coact_child_terminate(top, "a", SOON), 0);
    ck_assert_int_eq(coact_child_terminate(top, "b", SOON), 0);
    settle();
    ck_assert(coact_is_alive(top.ref));
    SAW("+a +b +c -a -b");
    stop(top);
}

START_TEST(s47_terminate_child_does_not_trigger_auto_shutdown)
{
    in_world(terminated);
}
END_TEST

SUITE_MAIN("supervisor_call",
           a_terminated_child_stays_away_until_it_is_restarted,
           s46_terminate_child_while_it_is_restarting_is_a_clear_error,
           s46_delete_child_while_it_runs_is_a_clear_error,
           a_supervisor_can_be_added_terminated_and_deleted,
           who_waits_for_a_child_is_told_that_its_supervisor_ends,
           a_restart_that_falls_due_during_the_shutdown_does_not_happen,
           a_child_that_is_being_terminated_does_not_return_with_its_group,
           a_child_is_added_at_the_end_or_not_at_all,
           a_child_is_not_added_into_a_group_that_is_restarting,
           a_child_is_found_by_its_id_and_mailbox,
           s47_auto_shutdown_any_ends_with_the_first_significant_child,
           s47_auto_shutdown_all_ends_with_the_last_significant_child,
           s47_terminate_child_does_not_trigger_auto_shutdown)
