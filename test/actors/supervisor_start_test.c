/*
 * supervisor_start_test.c - how a tree is built, or is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

/* A child whose init fails, succeeds, ends, or never comes to an end. */
struct init {
    const char *name;
    int code;         /* fail with it */
    int64_t after_ns; /* takes so long */
    bool never;       /* is never done */
    bool returns;     /* ends before it has started */
    int tries;
};

static void
init_run(toy_self self, void *arg)
{
    struct init *init = arg;
    init->tries++;
    note("?%s", init->name);
    if (init->never) {
        coact_sleep(COACT_FOREVER);
        return;
    }
    if (init->after_ns > 0) {
        COACT_CHECK(coact_sleep(coact_in_ns(init->after_ns)) == 0);
    }
    if (init->code != 0) {
        coact_fail(init->code, "no disk");
    }
    if (init->returns) {
        return;
    }
    COACT_CHECK(coact_started() == 0);
    toy_run(self, (void *)(uintptr_t)init->name);
}

#define INIT(id, init, ...)                                                    \
    COACT_CHILD(toy, id, init_run, init, .wait_init = true, __VA_ARGS__)

static int
try_to_supervise(const struct coact_supervisor *spec, struct coact_reason *why)
{
    coact_supervisor_ref top;
    return coact_supervise(spec, coact_in_ms(2000), &top, why);
}

static void
in_the_middle(world_self self)
{
    (void)self;
    struct init bad = {.name = "c", .code = -EIO};
    struct coact_child children[] = {TOY("a"), TOY("b"),
                                     INIT("c", &bad, .start_ns = 0), TOY("d")};
    struct coact_reason why = {.code = 0};
    int rc = try_to_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        &why);
    ck_assert_int_eq(rc, -EIO);
    ck_assert_int_eq(why.code, -EIO);
    ck_assert_str_eq(why.text, "child c: EIO: no disk");
    SAW("+a +b ?c -b -a");
    ck_assert_int_eq(bad.tries, 1);
}

START_TEST(s45_start_failing_in_the_middle_stops_the_earlier_in_reverse)
{
    in_world(in_the_middle);
}
END_TEST

static void
below(world_self self)
{
    (void)self;
    struct init bad = {.name = "y", .code = 300};
    struct coact_child leaves[] = {TOY("x"), INIT("y", &bad, .start_ns = 0)};
    struct coact_supervisor inner = {.children = leaves,
                                     .child_count = COUNT(leaves)};
    struct coact_child children[] = {TOY("a"),
                                     COACT_CHILD_SUPERVISOR("in", &inner)};
    struct coact_reason why = {.code = 0};
    int rc = try_to_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        &why);
    ck_assert_int_eq(rc, -ECHILD);
    ck_assert_int_eq(why.code, 300);
    ck_assert_str_eq(why.text, "child in: failed: child y: failed: no disk");
    SAW("+a +x ?y -x -a");
}

START_TEST(s45_failure_below_is_named_by_its_path)
{
    in_world(below);
}
END_TEST

static void
spawn_fails(world_self self)
{
    (void)self;
    struct coact_child children[] = {
        TOY("a"), TOY_WITH("b", .options = {.name = "taken"}),
        TOY_WITH("c", .options = {.name = "taken"})};
    struct coact_reason why = {.code = 0};
    int rc = try_to_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        &why);
    ck_assert_int_eq(rc, -EEXIST);
    ck_assert_ptr_nonnull(strstr(why.text, "child c: EEXIST"));
    SAW("+a +b -b -a");
}

START_TEST(s45_a_spawn_that_fails_is_a_start_that_fails)
{
    in_world(spawn_fails);
}
END_TEST

static void
returns_early(world_self self)
{
    (void)self;
    struct init early = {.name = "b", .returns = true};
    struct coact_child children[] = {TOY("a"),
                                     INIT("b", &early, .start_ns = 0)};
    struct coact_reason why = {.code = 0};
    int rc = try_to_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        &why);
    ck_assert_int_eq(rc, -ECHILD);
    ck_assert_str_eq(why.text, "child b: normal");
    SAW("+a ?b -a");
}

START_TEST(s45_a_child_that_ends_before_it_has_started_fails_the_start)
{
    in_world(returns_early);
}
END_TEST

static void
waits(world_self self)
{
    (void)self;
    struct init slow = {.name = "b", .after_ns = COACT_MS(700)};
    struct coact_child children[] = {
        TOY("a"), INIT("b", &slow, .start_ns = COACT_SECONDS(1)), TOY("c")};
    int64_t before_ns = coact_now_ns();
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(700));
    SAW("+a ?b +b +c");
    stop(top);
    SAW("-c -b -a");
}

START_TEST(the_next_child_starts_when_the_init_of_the_one_before_is_done)
{
    in_world(waits);
}
END_TEST

static void
too_slow(world_self self)
{
    (void)self;
    struct init never = {.name = "b", .never = true};
    struct coact_child children[] = {
        TOY("a"), INIT("b", &never, .start_ns = COACT_MS(300))};
    int64_t before_ns = coact_now_ns();
    struct coact_reason why = {.code = 0};
    int rc = try_to_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        &why);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(why.text, "child b: "));
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(400));
    SAW("+a ?b -a");
}

START_TEST(a_child_that_takes_longer_than_start_ns_fails_the_start)
{
    in_world(too_slow);
}
END_TEST

static void
deadline(world_self self)
{
    (void)self;
    struct init never = {.name = "b", .never = true};
    struct coact_child children[] = {
        TOY("a"), INIT("b", &never, .start_ns = COACT_FOREVER)};
    int64_t before_ns = coact_now_ns();
    struct coact_reason why = {.code = 0};
    int rc = try_to_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        &why);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(why.text, "child b: "));
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(2000));
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(2100));
    ck_assert_int_eq(coact_sleep(coact_in_ms(10000)), 0);
    SAW("+a ?b -a");
}

START_TEST(the_deadline_of_supervise_names_who_made_it_late)
{
    in_world(deadline);
}
END_TEST

/* ---- Specifications that make no sense ----------------------------------- */

static void
refused(const struct coact_supervisor *spec, const char *line)
{
    struct coact_reason why = {.code = 0};
    world_log[0] = '\0';
    ck_assert_int_eq(try_to_supervise(spec, &why), -EINVAL);
    LOGGED(line);
    SAW("");
}

#define REFUSED_CHILD(line, ...)                                               \
    refused(                                                                   \
        &(struct coact_supervisor){                                            \
            .children =                                                        \
                (struct coact_child[]){TOY("a"), TOY_WITH("b", __VA_ARGS__)},  \
            .child_count = 2,                                                  \
            .label = "top"},                                                   \
        "error: supervisor top: child 1 (b): " line)

static void
nonsense(world_self self)
{
    (void)self;
    REFUSED_CHILD("it is permanent, so it cannot be significant",
                  .significant = true);
    REFUSED_CHILD("it is significant, but auto_shutdown is never",
                  .significant = true, .restart = COACT_TRANSIENT);
    REFUSED_CHILD("there is no such restart", .restart = (enum coact_restart)9);
    REFUSED_CHILD("start_ns is negative", .start_ns = -2);
    REFUSED_CHILD("backoff.max_ns is less than backoff.first_ns",
                  .backoff = {.first_ns = 2, .max_ns = 1});
    REFUSED_CHILD("options.link, .monitor and .runtime are the supervisor's",
                  .options = {.link = true});
    REFUSED_CHILD("arg_type and hang_ns are for isolated children",
                  .hang_ns = 5);
    REFUSED_CHILD("it is isolated, so its argument must be a message",
                  .isolated = true);
    refused(
        &(struct coact_supervisor){
            .children = (struct coact_child[]){TOY("a"), TOY("b"), TOY("a")},
            .child_count = 3},
        "supervisor supervisor: child 2 (a): its id is that of an earlier");
    refused(&(struct coact_supervisor){.intensity = -2},
            "intensity is neither");
    refused(&(struct coact_supervisor){.period_ns = -1}, "period_ns");
    refused(
        &(struct coact_supervisor){.strategy = COACT_DYNAMIC,
                                   .children = (struct coact_child[]){TOY("a")},
                                   .child_count = 1},
        "a dynamic supervisor begins without children");
}

START_TEST(a_specification_that_makes_no_sense_starts_nothing_and_is_named)
{
    in_world(nonsense);
}
END_TEST

static void
deep_nonsense(world_self self)
{
    (void)self;
    struct coact_supervisor inner = {
        .children = (struct coact_child[]){TOY_WITH("x", .significant = true)},
        .child_count = 1};
    struct coact_child children[] = {TOY("a"),
                                     COACT_CHILD_SUPERVISOR("in", &inner)};
    refused(&(struct coact_supervisor){.children = children,
                                       .child_count = COUNT(children)},
            "supervisor in: child 0 (x): it is permanent");
    static struct coact_supervisor circle;
    static struct coact_child itself = COACT_CHILD_SUPERVISOR("in", &circle);
    circle.children = &itself;
    circle.child_count = 1;
    refused(&circle, "nested too deep");
}

START_TEST(nonsense_deep_in_a_tree_is_found_before_anything_starts)
{
    in_world(deep_nonsense);
}
END_TEST

/* ---- What is taken ------------------------------------------------------- */

static int destroyed;

static void
count_destroyed(void *arg)
{
    (void)arg;
    destroyed++;
}

static void
takes(world_self self)
{
    (void)self;
    struct coact_child children[] = {
        TOY_WITH("a", .options = {.destroy_arg = count_destroyed}),
        TOY_WITH("b", .options = {.destroy_arg = count_destroyed})};
    struct coact_supervisor spec = {.children = children,
                                    .child_count = COUNT(children)};
    coact_supervisor_ref top = supervise(&spec);
    blow_up(top, "a", -EIO);
    ck_assert_int_eq(destroyed, 0);
    stop(top);
    ck_assert_int_eq(destroyed, 2);
    spec.intensity = -5;
    struct coact_reason why;
    ck_assert_int_eq(try_to_supervise(&spec, &why), -EINVAL);
    ck_assert_int_eq(destroyed, 4);
}

START_TEST(a_taken_argument_outlives_restarts_and_is_destroyed_once)
{
    in_world(takes);
}
END_TEST

SUITE_MAIN("supervisor_start",
           s45_start_failing_in_the_middle_stops_the_earlier_in_reverse,
           s45_failure_below_is_named_by_its_path,
           s45_a_spawn_that_fails_is_a_start_that_fails,
           s45_a_child_that_ends_before_it_has_started_fails_the_start,
           the_next_child_starts_when_the_init_of_the_one_before_is_done,
           a_child_that_takes_longer_than_start_ns_fails_the_start,
           the_deadline_of_supervise_names_who_made_it_late,
           a_specification_that_makes_no_sense_starts_nothing_and_is_named,
           nonsense_deep_in_a_tree_is_found_before_anything_starts,
           a_taken_argument_outlives_restarts_and_is_destroyed_once)
