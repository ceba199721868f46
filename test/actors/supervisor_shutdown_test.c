/*
 * supervisor_shutdown_test.c - how a tree stops, and who can hold it up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

/* How a child behaves when it is asked to end. */
struct manners {
    const char *name;
    int64_t dawdle_ns; /* traps exits, and takes so long */
    bool unlinks;      /* from its supervisor, first of all */
    bool ignores;      /* asks to end, for ever */
};

static void
mannered_run(toy_self self, void *arg)
{
    struct manners *how = arg;
    note("+%s", how->name);
    COACT_CHECK(coact_defer(toy_has_ended, (void *)(uintptr_t)how->name) == 0);
    COACT_CHECK(coact_started() == 0);
    if (how->unlinks) {
        coact_unlink(coact_supervisor_of_self().ref);
    }
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(blow, m):
            (void)m;
            break;
        case COACT_ON_EXIT(e): {
            (void)e;
            note("!%s", how->name);
            if (!how->ignores) {
                coact_sleep(coact_in_ns(how->dawdle_ns));
                is_over = true;
            }
        } break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}

#define MANNERED(id, manners, time_ns, ...)                                    \
    COACT_CHILD(toy, id, mannered_run, manners, .wait_init = true,             \
                .shutdown_ns = (time_ns), .options = {__VA_ARGS__})

static void
in_reverse(world_self self)
{
    (void)self;
    struct coact_child leaves[] = {TOY("x"), TOY("y")};
    struct coact_supervisor inner = {.children = leaves,
                                     .child_count = COUNT(leaves)};
    struct coact_child children[] = {
        TOY("a"), COACT_CHILD_SUPERVISOR("in", &inner), TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    SAW("+a +x +y +c");
    stop(top);
    SAW("-c -y -x -a");
    NOT_LOGGED("warning");
    struct coact_reason why;
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(10), &why), 0);
}

START_TEST(s43_a_tree_stops_in_reverse)
{
    in_world(in_reverse);
}
END_TEST

static void
grants(world_self self)
{
    (void)self;
    struct manners slow = {.name = "b", .dawdle_ns = COACT_MS(300)};
    struct coact_child children[] = {
        TOY("a"), MANNERED("b", &slow, COACT_MS(500), .trap_exit = true),
        TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    int64_t before_ns = coact_now_ns();
    stop(top);
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(300));
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(310));
    SAW("+a +b +c -c !b -b -a");
    NOT_LOGGED("is killed");
}

START_TEST(s43_a_child_that_traps_gets_its_time)
{
    in_world(grants);
}
END_TEST

static void
kills(world_self self)
{
    (void)self;
    struct manners deaf = {.name = "b", .ignores = true};
    struct coact_child children[] = {
        TOY("a"), MANNERED("b", &deaf, COACT_MS(500), .trap_exit = true),
        TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children), .label = "top"});
    int64_t before_ns = coact_now_ns();
    stop(top);
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(500));
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(510));
    SAW("+a +b +c -c !b -b -a");
    LOGGED("warning: supervisor top: child b has not ended 500 ms after it was "
           "asked to: it is killed");
}

START_TEST(s43_a_child_that_does_not_end_in_time_is_killed_and_named)
{
    in_world(kills);
}
END_TEST

static void
unlinked(world_self self)
{
    (void)self;
    struct manners naughty = {.name = "b", .unlinks = true};
    struct coact_child children[] = {
        TOY("a"), MANNERED("b", &naughty, COACT_MS(500), .trap_exit = false),
        TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    stop(top);
    SAW("+a +b +c -c -b -a");
}

START_TEST(s43_a_child_that_unlinks_cannot_hang_the_shutdown)
{
    in_world(unlinked);
}
END_TEST

static void
unlinked_and_restarted(world_self self)
{
    (void)self;
    struct manners naughty = {.name = "b", .unlinks = true};
    struct coact_child children[] = {
        MANNERED("b", &naughty, COACT_MS(500), .trap_exit = false)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    ck_assert_int_eq(coact_kill(toy_of(top, "b").ref), 0);
    settle();
    SAW("+b -b +b");
    stop(top);
}

START_TEST(a_child_that_unlinks_is_restarted_all_the_same)
{
    in_world(unlinked_and_restarted);
}
END_TEST

static void
brutal(world_self self)
{
    (void)self;
    struct manners deaf = {.name = "b", .ignores = true};
    struct coact_child children[] = {
        MANNERED("b", &deaf, COACT_BRUTAL_KILL, .trap_exit = true)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    int64_t before_ns = coact_now_ns();
    stop(top);
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(1));
    SAW("+b -b");
}

START_TEST(s43_brutal_kill_does_not_ask)
{
    in_world(brutal);
}
END_TEST

static void
whole_tree(world_self self)
{
    (void)self;
    struct manners deaf = {.name = "y", .ignores = true};
    struct coact_child leaves[] = {
        TOY("x"), MANNERED("y", &deaf, COACT_SECONDS(60), .trap_exit = true)};
    struct coact_supervisor inner = {.children = leaves,
                                     .child_count = COUNT(leaves)};
    struct coact_child middle[] = {COACT_CHILD_SUPERVISOR("inner", &inner)};
    struct coact_supervisor outer = {.children = middle,
                                     .child_count = COUNT(middle)};
    struct coact_child children[] = {
        TOY("a"), COACT_CHILD_SUPERVISOR("outer", &outer), TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children), .label = "top"});
    SAW("+a +x +y +c");
    int64_t before_ns = coact_now_ns();
    struct coact_reason why = {.code = 0};
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(700), &why),
                     -ETIMEDOUT);
    ck_assert_int_ge(coact_now_ns() - before_ns, COACT_MS(700));
    ck_assert_int_lt(coact_now_ns() - before_ns, COACT_MS(900));
    ck_assert_str_eq(why.text, "outer/inner/y");
    LOGGED("supervisor inner: child y made it late");
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(1000), NULL), 0);
    settle();
    // All were killed at once, so their order is open, but not their number.
    ck_assert_ptr_eq(strstr(world_trace, "-c !y "), world_trace);
    ck_assert_uint_eq(strlen(world_trace), strlen("-c !y -x -y -a"));
}

START_TEST(s43_the_deadline_of_a_tree_kills_and_names_who_made_it_late)
{
    in_world(whole_tree);
}
END_TEST

/* ---- The supervisor is killed -------------------------------------------- */

static coact_ref found[16];
static size_t found_count;

static bool
collect(void *context, const struct coact_child_info *info)
{
    (void)context;
    found[found_count++] = info->ref;
    return true;
}

static void
orphans(world_self self)
{
    (void)self;
    struct manners deaf = {.name = "y", .ignores = true};
    struct manners slow = {.name = "z", .dawdle_ns = COACT_MS(200)};
    struct coact_child leaves[] = {
        TOY("x"), MANNERED("y", &deaf, COACT_MS(400), .trap_exit = true),
        MANNERED("z", &slow, COACT_MS(400), .trap_exit = true)};
    struct coact_supervisor inner = {.children = leaves,
                                     .child_count = COUNT(leaves)};
    struct coact_child children[] = {
        TOY("a"), COACT_CHILD_SUPERVISOR("in", &inner), TOY("c")};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    coact_supervisor_ref in;
    ck_assert_int_eq(
        coact_child_find_supervisor(top, "in", &in, coact_in_ms(10)), 0);
    ck_assert_int_eq(coact_children(top, coact_in_ms(10), collect, NULL), 0);
    ck_assert_int_eq(coact_children(in, coact_in_ms(10), collect, NULL), 0);
    ck_assert_uint_eq(found_count, 6);
    ck_assert_int_eq(coact_kill(top.ref), 0);
    struct coact_reason why;
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(10), &why), 0);
    ck_assert_int_eq(why.code, COACT_KILLED);
    for (size_t i = 0; i < found_count; i++) {
        ck_assert_int_eq(coact_join(found[i], coact_in_ms(1000), NULL), 0);
    }
}

START_TEST(s44_no_orphan_remains_when_a_supervisor_is_killed)
{
    in_world(orphans);
}
END_TEST

static void
inner_killed(world_self self)
{
    (void)self;
    struct manners deaf = {.name = "y", .ignores = true};
    struct coact_child leaves[] = {
        TOY("x"), MANNERED("y", &deaf, COACT_MS(400), .trap_exit = true)};
    struct coact_supervisor inner = {.children = leaves,
                                     .child_count = COUNT(leaves)};
    struct coact_child children[] = {COACT_CHILD_SUPERVISOR("in", &inner)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    coact_supervisor_ref in;
    ck_assert_int_eq(
        coact_child_find_supervisor(top, "in", &in, coact_in_ms(10)), 0);
    ck_assert_int_eq(coact_children(in, coact_in_ms(10), collect, NULL), 0);
    ck_assert_int_eq(coact_kill(in.ref), 0);
    for (size_t i = 0; i < found_count; i++) {
        ck_assert_int_eq(coact_join(found[i], coact_in_ms(1000), NULL), 0);
    }
    ck_assert_int_eq(
        coact_child_find_supervisor(top, "in", &in, coact_in_ms(10)), 0);
    ck_assert_uint_eq(look(in).running, 2);
    stop(top);
}

START_TEST(s44_a_killed_supervisor_is_restarted_with_new_children)
{
    in_world(inner_killed);
}
END_TEST

/* ---- The starter, and children that never wait --------------------------- */

static void
linked_starter(toy_self self, void *arg)
{
    coact_supervisor_ref *top = arg;
    struct coact_child children[] = {TOY("x"), TOY("y")};
    COACT_CHECK(coact_supervise(&(struct coact_supervisor){.children = children,
                                                           .child_count = 2,
                                                           .link = true},
                                COACT_FOREVER, top, NULL) == 0);
    toy_run(self, (void *)(uintptr_t) "s");
}

static void
follows(world_self self)
{
    (void)self;
    coact_supervisor_ref top;
    toy_ref starter;
    ck_assert_int_eq(coact_spawn(toy, &starter, linked_starter, &top), 0);
    settle();
    SAW("+x +y +s");
    ck_assert_int_eq(coact_send(starter, blow, .code = 300), 0);
    struct coact_reason why;
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(1000), &why), 0);
    ck_assert_int_eq(why.code, 300);
    SAW("-s -y -x");
}

START_TEST(a_linked_tree_ends_with_who_started_it)
{
    in_world(follows);
}
END_TEST

static void
stranger(world_self self)
{
    (void)self;
    struct coact_child children[] = {TOY("x")};
    coact_supervisor_ref top = supervise(
        &(struct coact_supervisor){.children = children, .child_count = 1});
    // Its starter's signal it obeys.
    ck_assert_int_eq(coact_signal_exit(top.ref, COACT_SHUTDOWN, ""), 0);
    struct coact_reason why;
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(1000), &why), 0);
    ck_assert_int_eq(why.code, COACT_SHUTDOWN);
    SAW("+x -x");
}

START_TEST(the_exit_signal_of_its_starter_stops_a_tree_in_order)
{
    in_world(stranger);
}
END_TEST

SUITE_MAIN("supervisor_shutdown", s43_a_tree_stops_in_reverse,
           s43_a_child_that_traps_gets_its_time,
           s43_a_child_that_does_not_end_in_time_is_killed_and_named,
           s43_a_child_that_unlinks_cannot_hang_the_shutdown,
           a_child_that_unlinks_is_restarted_all_the_same,
           s43_brutal_kill_does_not_ask,
           s43_the_deadline_of_a_tree_kills_and_names_who_made_it_late,
           s44_no_orphan_remains_when_a_supervisor_is_killed,
           s44_a_killed_supervisor_is_restarted_with_new_children,
           a_linked_tree_ends_with_who_started_it,
           the_exit_signal_of_its_starter_stops_a_tree_in_order)
