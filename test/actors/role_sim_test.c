/*
 * role_sim_test.c - which role an actor has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

#include "runtime/memory.h"

#define SEEDS 50

static void
expect_here(const char *name)
{
    ck_assert_uint_eq(coact_role_here().id, coact_role_named(name).id);
}

/* ---- Names --------------------------------------------------------------- */

START_TEST(some_roles_are_always_there)
{
    struct coact_runtime *runtime = start_runtime(1);
    ck_assert_uint_ne(coact_role_named("default").id, 0);
    ck_assert_uint_ne(coact_role_named("system").id, 0);
    ck_assert_uint_ne(coact_role_named("interactive").id, 0);
    ck_assert_uint_eq(coact_role_named("batch").id,
                      coact_role_in(runtime, "batch").id);
    ck_assert_uint_eq(coact_role_named("none such").id, 0);
    struct coact_role_stats stats;
    ck_assert_int_eq(coact_stats_of_role(runtime, (coact_role){0}, &stats),
                     -EINVAL);
    ck_assert_int_eq(coact_stats_of_role(runtime, (coact_role){17}, &stats),
                     -EINVAL);
    ck_assert_int_eq(
        coact_stats_of_role(runtime, coact_role_named("batch"), &stats), 0);
    ck_assert_uint_eq(stats.weight, 25);
    stop_runtime(runtime);
    ck_assert_uint_eq(coact_role_named("batch").id, 0);
    ck_assert_uint_eq(coact_role_here().id, 0);
}
END_TEST

START_TEST(a_role_of_the_options_takes_the_place_of_one_that_is_there)
{
    const struct coact_role_options roles[] = {
        {.name = "batch", .weight = 7, .target_ns = COACT_MS(3)},
        {.name = "ours"}};
    const struct coact_runtime_options options = {
        .log = log_nothing, .roles = roles, .role_count = 2};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    struct coact_role_stats stats;
    ck_assert_int_eq(
        coact_stats_of_role(runtime, coact_role_in(runtime, "batch"), &stats),
        0);
    ck_assert_uint_eq(stats.weight, 7);
    ck_assert_int_eq(stats.target_ns, COACT_MS(3));
    ck_assert_int_eq(
        coact_stats_of_role(runtime, coact_role_in(runtime, "ours"), &stats),
        0);
    ck_assert_uint_eq(stats.weight, 100);
    ck_assert_int_eq(coact_stop(runtime, COACT_FOREVER), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

START_TEST(more_roles_than_there_is_room_for_are_refused)
{
    static char names[17][4];
    struct coact_role_options roles[17];
    for (int i = 0; i < 17; i++) {
        snprintf(names[i], sizeof(names[i]), "r%d", i);
        roles[i] = (struct coact_role_options){.name = names[i]};
    }
    struct coact_runtime_options options = {
        .log = log_nothing, .roles = roles, .role_count = 13};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), -EINVAL);
    options.role_count = 12;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_stop(runtime, COACT_FOREVER), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
    roles[3].name = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), -EINVAL);
}
END_TEST

/* ---- Inheritance --------------------------------------------------------- */

static char batch[] = "batch", interactive[] = "interactive",
            above[] = "system";

static void
child_body(peer_self self, void *arg)
{
    (void)self;
    expect_here(arg);
}

static void
parent_body(peer_self self, void *arg)
{
    (void)self;
    expect_here("batch");
    peer_ref child;
    ck_assert_int_eq(coact_spawn(peer, &child, child_body, batch), 0);
    join_peer(child);
    ck_assert_int_eq(coact_spawn_with(peer, &child, child_body, interactive,
                                      .role = coact_role_named("interactive")),
                     0);
    join_peer(child);
    ck_assert_int_eq(coact_set_role(coact_role_named("system")), 0);
    expect_here("system");
    ck_assert_int_eq(coact_spawn(peer, &child, child_body, above), 0);
    join_peer(child);
    *(bool *)arg = true;
}

START_TEST(a_child_has_the_role_of_its_parent_unless_another_is_named)
{
    struct coact_runtime *runtime = start_runtime(1);
    bool is_done = false;
    peer_ref parent;
    ck_assert_int_eq(coact_spawn_with(peer, &parent, parent_body, &is_done,
                                      .role = coact_role_named("batch")),
                     0);
    join_peer(parent);
    ck_assert(is_done);
    ck_assert_int_eq(
        coact_spawn_with(peer, &parent, parent_body, &is_done, .role = {17}),
        -EINVAL);
    ck_assert_int_eq(coact_set_role(coact_role_named("batch")), -EPERM);
    stop_runtime(runtime);
}
END_TEST

/* ---- Lent ---------------------------------------------------------------- */

struct seen {
    uint8_t role[16]; /* in which item n was handled */
    uint32_t count;
    uint8_t after;
};

static void
server_body(peer_self self, void *arg)
{
    struct seen *seen = arg;
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m):
            seen->role[m->number] = coact_role_here().id;
            seen->count++;
            break;
        case COACT_ON(question, m):
            coact_reply(m, .n = coact_role_here().id);
            break;
        case COACT_ON(go, m):
            (void)m;
            seen->after = coact_role_here().id;
            is_over = true;
            break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}

static peer_ref server;

static void
client_body(peer_self self, void *arg)
{
    (void)self;
    uint32_t number = *(uint32_t *)arg;
    uint64_t role = coact_role_here().id;
    ck_assert_int_eq(coact_send(server, item, .number = number), 0);
    for (int i = 0; i < 3; i++) {
        struct answer is;
        ck_assert_int_eq(
            coact_ask(server, question, &is, COACT_FOREVER, .n = number), 0);
        ck_assert_uint_eq(is.n, role);
        coact_yield();
    }
}

/* None has a target, so none is tighter than another. */
static void
lend(void *is_fair)
{
    static const struct coact_role_options roles[] = {
        {.name = "a"}, {.name = "b"}, {.name = "c"}};
    static const char *const names[] = {"a", "b", "c"};
    const struct coact_runtime_options options = {
        .log = log_nothing, .roles = roles, .role_count = 3};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    struct seen seen = {.count = 0};
    ck_assert_int_eq(coact_spawn_with(peer, &server, server_body, &seen,
                                      .sender_role = true,
                                      .fair = is_fair != NULL,
                                      .role = coact_role_named("batch")),
                     0);
    uint32_t numbers[9];
    peer_ref clients[9];
    for (uint32_t i = 0; i < 9; i++) {
        numbers[i] = i;
        ck_assert_int_eq(
            coact_spawn_with(peer, &clients[i], client_body, &numbers[i],
                             .role = coact_role_named(names[i % 3])),
            0);
    }
    for (uint32_t i = 0; i < 9; i++) {
        join_peer(clients[i]);
    }
    // We have no role, so it is in its own.
    ck_assert_int_eq(coact_send(server, go, 0), 0);
    join_peer(server);
    ck_assert_uint_eq(seen.after, coact_role_named("batch").id);
    ck_assert_uint_eq(seen.count, 9);
    for (uint32_t i = 0; i < 9; i++) {
        ck_assert_uint_eq(seen.role[i], coact_role_named(names[i % 3]).id);
    }
    stop_runtime(runtime);
}

START_TEST(s52_a_message_is_handled_in_the_role_of_its_sender_where_asked)
{
    sim_each_seed(SEEDS, lend, NULL);
}
END_TEST

START_TEST(s52_a_fair_actor_handles_each_message_in_the_role_of_its_sender)
{
    static int is_fair;
    sim_each_seed(SEEDS, lend, &is_fair);
}
END_TEST

static void
send_one(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_send(server, item, .number = *(uint32_t *)arg), 0);
}

/* The server does not run before all have sent: it sleeps. */
static void
late_server_body(peer_self self, void *arg)
{
    coact_sleep(coact_in_ms(5));
    server_body(self, arg);
}

START_TEST(s52_who_waits_behind_a_message_lends_its_role_to_it)
{
    struct coact_runtime *runtime = start_runtime(1);
    struct seen seen = {.count = 0};
    ck_assert_int_eq(coact_spawn_with(peer, &server, late_server_body, &seen,
                                      .sender_role = true),
                     0);
    uint32_t numbers[] = {0, 1, 2};
    static const char *const names[] = {"batch", "interactive", "batch"};
    for (int i = 0; i < 3; i++) {
        peer_ref sender;
        ck_assert_int_eq(coact_spawn_with(peer, &sender, send_one, &numbers[i],
                                          .role = coact_role_named(names[i])),
                         0);
        join_peer(sender);
    }
    ck_assert_int_eq(coact_send(server, go, 0), 0);
    join_peer(server);
    ck_assert_uint_eq(seen.role[0], coact_role_named("interactive").id);
    ck_assert_uint_eq(seen.role[1], coact_role_named("interactive").id);
    ck_assert_uint_eq(seen.role[2], coact_role_named("batch").id);
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_spawn_that_lends_fails_whole_without_memory)
{
    struct coact_runtime *runtime = start_runtime(1);
    int rc = -ENOMEM;
    for (unsigned long n = 1; rc != 0; n++) {
        coact__fail_nth(n, false);
        rc = coact_spawn_with(peer, &server, idle_body, NULL,
                              .sender_role = true, .label = "lends");
        coact__fail_nth(0, false);
        ck_assert(rc == 0 || rc == -ENOMEM);
        ck_assert_uint_lt(n, 100);
    }
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("role_sim", some_roles_are_always_there,
           a_role_of_the_options_takes_the_place_of_one_that_is_there,
           more_roles_than_there_is_room_for_are_refused,
           a_child_has_the_role_of_its_parent_unless_another_is_named,
           s52_a_message_is_handled_in_the_role_of_its_sender_where_asked,
           s52_a_fair_actor_handles_each_message_in_the_role_of_its_sender,
           s52_who_waits_behind_a_message_lends_its_role_to_it,
           a_spawn_that_lends_fails_whole_without_memory)
