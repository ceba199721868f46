/*
 * server_supervised_test.c - servers as children: their starts, restarts and
 * ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"

#include <coact/server.h>

#include <errno.h>

/* What a server is told in its argument. */
struct clerk {
    const char *name;
    int fails; /* its init, with this reason, where not 0 */
    int32_t wishes;
};

static void
clerk_has_ended(void *name)
{
    note("-%s", (const char *)name);
}

static int
clerk_init(void **state)
{
    struct clerk *clerk = *state;
    if (clerk->fails != 0) {
        note("!%s", clerk->name);
        return clerk->fails;
    }
    note("+%s", clerk->name);
    return coact_defer(clerk_has_ended, (void *)(uintptr_t)clerk->name);
}

/* Blown by 0 it only counts. */
static void
clerk_handle(toy_turn self, void *state)
{
    struct clerk *clerk = state;
    COACT_HANDLE(self) {
    case COACT_ON(blow, m): {
        note("%s%d", clerk->name, ++clerk->wishes);
        if (m->code != 0) {
            coact_fail(m->code, "blown");
        }
    } break;
    }
}

#define CLERK(clerk, ...)                                                      \
    COACT_CHILD_SERVER(toy, (clerk)->name, clerk_handle, (clerk),              \
                       .options.init = clerk_init, __VA_ARGS__)

static void
restarts(world_self self)
{
    (void)self;
    struct clerk clerks[] = {{.name = "a"}, {.name = "b"}};
    struct coact_child children[] = {CLERK(&clerks[0], .start_ns = 0),
                                     CLERK(&clerks[1], .start_ns = 0)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    SAW("+a +b");
    blow_up(top, "a", 0);
    blow_up(top, "a", -EIO);
    SAW("a1 a2 -a +a");
    // The same argument, as it was left.
    blow_up(top, "a", 0);
    SAW("a3");
    ck_assert_int_eq(coact_kill(toy_of(top, "b").ref), 0);
    settle();
    SAW("-b +b");
    ck_assert_uint_eq(look(top).restarts, 2);
    stop(top);
    SAW("-b -a");
}
START_TEST(s37_a_server_is_restarted_and_begins_with_its_init)
{
    in_world(restarts);
}
END_TEST

static int
counter_init(void **state)
{
    int32_t *count = coact_arena(sizeof(*count));
    if (count == NULL) {
        return -ENOMEM;
    }
    note("from %s", (const char *)*state);
    *count = 0;
    *state = count;
    return 0;
}
static void
counter_handle(toy_turn self, void *state)
{
    int32_t *count = state;
    COACT_HANDLE(self) {
    case COACT_ON(blow, m): {
        note("%d", ++*count);
        if (m->code != 0) {
            coact_fail(m->code, "blown");
        }
    } break;
    }
}
static void
begins_anew(world_self self)
{
    (void)self;
    struct coact_child children[] = {
        COACT_CHILD_SERVER(toy, "counter", counter_handle, (char[]){"zero"},
                           .options.init = counter_init)};
    coact_supervisor_ref top = supervise(&(struct coact_supervisor){
        .children = children, .child_count = COUNT(children)});
    blow_up(top, "counter", 0);
    blow_up(top, "counter", -EIO);
    blow_up(top, "counter", 0);
    SAW("from zero 1 2 from zero 1");
    stop(top);
}
START_TEST(a_restarted_server_has_the_state_that_its_init_makes_anew)
{
    in_world(begins_anew);
}
END_TEST

static void
first_start_fails(world_self self)
{
    (void)self;
    struct clerk clerks[] = {{.name = "a"}, {.name = "b", .fails = -ENOENT}};
    struct coact_child children[] = {CLERK(&clerks[0], .start_ns = 0),
                                     CLERK(&clerks[1], .start_ns = 0),
                                     TOY("c")};
    coact_supervisor_ref top;
    struct coact_reason why = {0};
    int rc = coact_supervise(
        &(struct coact_supervisor){.children = children,
                                   .child_count = COUNT(children)},
        coact_in_ms(1000), &top, &why);
    ck_assert_int_eq(rc, -ENOENT);
    ck_assert_msg(strstr(why.text, "child b") != NULL, "%s", why.text);
    SAW("+a !b -a");
}
START_TEST(a_tree_is_not_built_when_the_init_of_a_server_fails)
{
    in_world(first_start_fails);
}
END_TEST

static void
added(world_self self)
{
    (void)self;
    struct clerk clerk = {.name = "a", .fails = 300};
    struct clerk good = {.name = "b"};
    coact_supervisor_ref top =
        supervise(&(struct coact_supervisor){.strategy = COACT_DYNAMIC});
    struct coact_reason why = {0};
    coact_ref ref;
    int rc = coact_child_add(
        top, &(const struct coact_child)CLERK(&clerk, .start_ns = 0),
        coact_in_ms(1000), &ref, &why);
    ck_assert_int_eq(rc, -ECHILD);
    ck_assert_int_eq(why.code, 300);
    rc = coact_child_add(top,
                         &(const struct coact_child)CLERK(&good, .start_ns = 0),
                         coact_in_ms(1000), &ref, &why);
    ck_assert_int_eq(rc, 0);
    ck_assert(coact_is_alive(ref));
    SAW("!a +b");
    ck_assert_int_eq(coact_child_terminate_ref(top, ref, coact_in_ms(1000)), 0);
    SAW("-b");
    stop(top);
}
START_TEST(who_adds_a_server_learns_why_its_init_failed)
{
    in_world(added);
}
END_TEST

static int
slow_init(void **state)
{
    (void)state;
    return coact_sleep(COACT_FOREVER);
}
static void
late(world_self self)
{
    (void)self;
    struct coact_child children[] = {COACT_CHILD_SERVER(
        toy, "slow", counter_handle, NULL, .options.init = slow_init,
        .start_ns = COACT_MS(50))};
    coact_supervisor_ref top;
    struct coact_reason why = {0};
    int rc = coact_supervise(
        &(struct coact_supervisor){.children = children, .child_count = 1},
        coact_in_ms(1000), &top, &why);
    ck_assert_int_lt(rc, 0);
    ck_assert_msg(strstr(why.text, "slow") != NULL, "%s", why.text);
}
START_TEST(a_server_has_not_started_before_its_init_is_over)
{
    in_world(late);
}
END_TEST

static int
no_init(void **state)
{
    (void)state;
    return 0;
}
static void
nonsense(world_self self)
{
    (void)self;
    struct coact_child children[] = {
        COACT_CHILD(toy, "body", toy_run, NULL, .options.init = no_init)};
    coact_supervisor_ref top;
    int rc = coact_supervise(
        &(struct coact_supervisor){.children = children, .child_count = 1},
        coact_in_ms(1000), &top, NULL);
    ck_assert_int_eq(rc, -EINVAL);
    LOGGED("options.init is for servers");
    struct coact_child isolated[] = {COACT_CHILD_SERVER(
        toy, "alone", counter_handle, NULL, .isolated = true)};
    rc = coact_supervise(
        &(struct coact_supervisor){.children = isolated, .child_count = 1},
        coact_in_ms(1000), &top, NULL);
    ck_assert_int_eq(rc, -EINVAL);
    LOGGED("an isolated child has a body, not a handler");
}
START_TEST(what_makes_no_sense_with_servers_is_refused)
{
    in_world(nonsense);
}
END_TEST

SUITE_MAIN("server_supervised",
           s37_a_server_is_restarted_and_begins_with_its_init,
           a_restarted_server_has_the_state_that_its_init_makes_anew,
           a_tree_is_not_built_when_the_init_of_a_server_fails,
           who_adds_a_server_learns_why_its_init_failed,
           a_server_has_not_started_before_its_init_is_over,
           what_makes_no_sense_with_servers_is_refused)
