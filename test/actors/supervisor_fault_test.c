/*
 * supervisor_fault_test.c - each allocation of a tree's life fails once.
 *
 * Whatever fails: a call says so, or the tree does without; what was handed
 * over is destroyed once, nobody is left, and the tree can always be stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

#include "runtime/memory.h"

static int handed_over, destroyed;
static unsigned long nth;
static bool is_through;

static void
count_destroyed(void *arg)
{
    (void)arg;
    destroyed++;
}

static struct coact_child
child_with(const char *name)
{
    handed_over++;
    return (struct coact_child)TOY_WITH(
        name, .options = {.destroy_arg = count_destroyed, .name = name});
}

static bool
count_child(void *context, const struct coact_child_info *info)
{
    size_t *count = context;
    *count += info->id != NULL;
    return true;
}

static int
build(coact_supervisor_ref *top)
{
    struct coact_child leaves[] = {child_with("x"), child_with("y")};
    struct coact_supervisor below = {
        .children = leaves, .child_count = COUNT(leaves), .name = "below"};
    struct coact_child children[] = {
        child_with("a"), COACT_CHILD_SUPERVISOR("in", &below), child_with("c")};
    struct coact_reason why = {.code = 0};
    int rc = coact_supervise(
        &(struct coact_supervisor){.strategy = COACT_REST_FOR_ONE,
                                   .children = children,
                                   .child_count = COUNT(children),
                                   .intensity = 100},
        coact_in_ms(60000), top, &why);
    ck_assert(rc == 0 || why.code != 0);
    return rc;
}

/* Everything that a tree can be asked for; results may be errors. */
static void
use(coact_supervisor_ref top)
{
    int64_t soon_ns = coact_in_ms(1000);
    size_t count = 0;
    toy_ref toy;
    if (coact_child_find(top, toy, "a", &toy, soon_ns) == 0) {
        coact_kill(toy.ref);
    }
    settle();
    (void)coact_children(top, soon_ns, count_child, &count);
    struct coact_child more = child_with("d");
    int rc = coact_child_add(top, &more, soon_ns, NULL, NULL);
    (void)coact_child_terminate(top, "c", soon_ns);
    rc = coact_child_restart(top, "c", soon_ns, NULL);
    (void)rc;
    (void)coact_child_terminate(top, "d", soon_ns);
    (void)coact_child_delete(top, "d", soon_ns);
}

static void
life(world_self self)
{
    (void)self;
    coact_supervisor_ref top;
    coact__fail_nth(nth, false);
    int rc = build(&top);
    if (rc == 0) {
        use(top);
    }
    is_through = coact__fail_count() < nth;
    coact__fail_nth(0, false);
    if (rc == 0) {
        // What was refused is there again after a while.
        ck_assert_int_eq(coact_sleep(coact_in_ms(60000)), 0);
        ck_assert(coact_is_alive(top.ref));
        ck_assert_msg(look(top).waiting == 0, "nth %lu: %.2000s", nth,
                      world_log);
        stop(top);
    }
    settle();
}

START_TEST(no_failed_allocation_leaks_hangs_or_loses_a_child)
{
    for (nth = 1; !is_through; nth++) {
        ck_assert_uint_lt(nth, 5000);
        handed_over = destroyed = 0;
        world_trace[0] = world_log[0] = '\0';
        in_world_seeded(life, 1);
        ck_assert_msg(handed_over == destroyed, "nth %lu: %d of %d destroyed",
                      nth, destroyed, handed_over);
    }
    ck_assert_uint_gt(nth, 50);
}
END_TEST

static void
end_of_life(world_self self)
{
    (void)self;
    coact_supervisor_ref top;
    ck_assert_int_eq(build(&top), 0);
    settle();
    // All that comes from here on fails, for a while.
    coact__fail_nth(nth, true);
    int rc = coact_supervisor_stop(top, coact_in_ms(60000), NULL);
    is_through = coact__fail_count() < nth;
    coact__fail_nth(0, false);
    // Late, if a supervisor below could not be asked to end until the deadline.
    ck_assert(rc == 0 || rc == -ENOMEM || rc == -ETIMEDOUT);
    if (rc < 0) {
        stop(top);
    }
    ck_assert(!coact_is_alive(top.ref));
    settle();
}

static void
shut_down_again(world_self self)
{
    (void)self;
    coact_supervisor_ref top;
    ck_assert_int_eq(build(&top), 0);
    settle();
    ck_assert_int_eq(coact_signal_exit(top.ref, COACT_SHUTDOWN, ""), 0);
    coact__fail_nth(1, true);
    ck_assert_int_eq(coact_sleep(coact_in_ms(20)), 0);
    coact__fail_nth(0, false);
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(60000), NULL), 0);
    settle();
}

START_TEST(no_failed_allocation_keeps_a_tree_from_ending)
{
    for (nth = 1; !is_through; nth++) {
        ck_assert_uint_lt(nth, 500);
        handed_over = destroyed = 0;
        world_trace[0] = world_log[0] = '\0';
        in_world_seeded(end_of_life, 1);
        ck_assert_int_eq(handed_over, destroyed);
    }
    handed_over = destroyed = 0;
    in_world(shut_down_again);
    ck_assert_int_eq(handed_over, destroyed);
}
END_TEST

SUITE_MAIN("supervisor_fault",
           no_failed_allocation_leaks_hangs_or_loses_a_child,
           no_failed_allocation_keeps_a_tree_from_ending)
