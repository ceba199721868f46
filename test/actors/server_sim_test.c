/*
 * server_sim_test.c - servers under schedules that seeds decide, and without
 * stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "test/actors/server_world.h"
#include "test/support/sim.h"

#include <coact/account.h>
#include <coact/mutex.h>

/* ---- Before it is called ------------------------------------------------- */

static void
bounded(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &tally,
                                      .mailbox_messages = 2),
                     0);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(coact_send(server, go, 0), 0);
        ck_assert_int_eq(coact_send(server, go, 0), 0);
        ck_assert_int_eq(coact_send(server, go, 0), -ENOBUFS);
        wait_until_at_rest(1);
    }
    ck_assert_uint_eq(tally.goes, 6);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(s20_a_server_takes_no_more_than_its_bound_and_gives_room_back)
{
    conduct(1, bounded, NULL);
}
END_TEST

static void
killed_before_it_begins(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &tally,
                                      .init = tally_init),
                     0);
    coact_kill(server.ref);
    ck_assert_int_eq(join_peer(server).code, COACT_KILLED);
    ck_assert_uint_eq(tally.inits, 0);
    ck_assert_uint_eq(tally.cancels, 0);
}
START_TEST(a_server_that_is_killed_before_it_begins_is_never_called)
{
    conduct(1, killed_before_it_begins, NULL);
}
END_TEST

/* ---- Any schedule -------------------------------------------------------- */

enum { SERVERS = 5, SENDERS = 4, EACH = 30 };

struct world {
    peer_ref servers[SERVERS];
    struct tally tallies[SERVERS];
    uint32_t answered, lost;
};
struct talker {
    struct world *world;
    uint32_t index;
};

/* Sends and asks all of them; some may be gone. */
static void
talker_body(peer_self self, void *arg)
{
    (void)self;
    const struct talker *talker = arg;
    struct world *world = talker->world;
    for (uint32_t i = 0; i < EACH; i++) {
        for (uint32_t s = 0; s < SERVERS; s++) {
            (void)coact_send(world->servers[s], item, .from = talker->index,
                             .number = i);
        }
        struct answer a = {0};
        int rc = coact_ask(world->servers[i % SERVERS], question, &a,
                           COACT_FOREVER, .n = i);
        ck_assert_msg(rc == 0 ? a.n == i + 1
                              : rc == -ESRCH || rc == -EOWNERDEAD,
                      "%s", coact_strerror(rc));
        world->answered += rc == 0;
        world->lost += rc < 0;
    }
}

static void
any_schedule(peer_self self, void *arg)
{
    (void)self;
    struct world *world = arg;
    *world = (struct world){0};
    for (int i = 0; i < SERVERS; i++) {
        ck_assert_int_eq(coact_serve_with(peer, &world->servers[i],
                                          tally_handle, &world->tallies[i],
                                          .init = tally_init),
                         0);
    }
    struct talker talkers[SENDERS];
    peer_ref peers[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        talkers[i] = (struct talker){world, i};
        peers[i] = spawn_peer(talker_body, &talkers[i]);
    }
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(coact_yield(), 0);
    }
    coact_kill(world->servers[0].ref);
    coact_signal_exit(world->servers[1].ref, -EIO, "");
    (void)coact_send(world->servers[2], item, .from = LEAVE, .number = 300);
    for (int i = 0; i < SENDERS; i++) {
        join_peer(peers[i]);
    }
    ck_assert_uint_eq(world->answered + world->lost, SENDERS * EACH);
    for (int i = 0; i < SERVERS; i++) {
        struct answer a = {0};
        int rc = coact_ask(world->servers[i], question, &a, COACT_FOREVER,
                           .n = HOW_MANY_ITEMS);
        ck_assert_int_eq(rc == 0, i > 2);
        ck_assert(rc < 0 || a.n == SENDERS * EACH);
        ck_assert_uint_eq(world->tallies[i].out_of_order, 0);
    }
}
static void
scenario(void *arg)
{
    conduct(1, any_schedule, arg);
    const struct world *world = arg;
    for (int i = 0; i < SERVERS; i++) {
        ck_assert_uint_eq(world->tallies[i].inits, world->tallies[i].clean_ups);
    }
}
START_TEST(s18_servers_keep_order_and_lose_no_call_under_any_schedule)
{
    struct world world;
    sim_each_seed(50, scenario, &world);
}
END_TEST

static void
beside_a_flood(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct flood flood = {0};
    peer_ref flooded;
    ck_assert_int_eq(coact_serve(peer, &flooded, flooding_handle, &flood), 0);
    coact_send(flooded, go, 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(coact_yield(), 0);
    }
    ck_assert_uint_gt(atomic_load(&flood.turns), 64);
    coact_kill(flooded.ref);
    join_peer(flooded);
}
static void
flood_scenario(void *arg)
{
    conduct(1, beside_a_flood, arg);
}
START_TEST(a_server_that_always_has_a_message_lets_others_run)
{
    sim_each_seed(20, flood_scenario, NULL);
}
END_TEST

/* ---- At rest as in a receive --------------------------------------------- */

static uint32_t working, working_most;

static void
working_handle(peer_turn self, void *state)
{
    (void)state;
    COACT_HANDLE(self) {
    case COACT_ON(question, m): {
        working++;
        working_most = working > working_most ? working : working_most;
        for (int i = 0; i < 3; i++) {
            (void)coact_yield();
        }
        working--;
        coact_reply(m, .n = coact_role_here().id);
    } break;
    }
}
static struct coact_limit_stats
limit_of_few(void)
{
    struct coact_role_stats stats;
    ck_assert_int_eq(coact_stats_of_role(coact_runtime_here(),
                                         coact_role_named("few"), &stats),
                     0);
    return stats.limit;
}
static void
asks_ten_times(peer_self self, void *arg)
{
    (void)self;
    for (uint64_t i = 0; i < 10; i++) {
        struct answer a = {0};
        ck_assert_int_eq(
            coact_ask(*(peer_ref *)arg, question, &a, COACT_FOREVER, .n = i),
            0);
        ck_assert_uint_eq(a.n, coact_role_named("few").id);
    }
}
static void
under_a_limit(void *arg)
{
    (void)arg;
    const struct coact_role_options roles[] = {{.name = "few", .limit = 2}};
    const struct coact_runtime_options options = {
        .log = log_nothing, .roles = roles, .role_count = 1};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref servers[4], askers[8];
    working = working_most = 0;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(coact_serve_with(peer, &servers[i], working_handle,
                                          NULL,
                                          .role = coact_role_named("few")),
                         0);
    }
    for (int i = 0; i < 8; i++) {
        askers[i] = spawn_peer(asks_ten_times, &servers[i % 4]);
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(coact_join(askers[i].ref, IN_TIME, NULL), 0);
    }
    wait_until_at_rest(4);
    ck_assert_uint_eq(working_most, 2);
    ck_assert_uint_eq(limit_of_few().working, 0);
    ck_assert_uint_eq(limit_of_few().inside, 4);
    stop_runtime(runtime);
}
START_TEST(a_server_works_under_the_limit_of_its_role_and_rests_beside_it)
{
    sim_each_seed(30, under_a_limit, NULL);
}
END_TEST

static void
role_asker(peer_self self, void *arg)
{
    (void)self;
    for (int i = 0; i < 5; i++) {
        struct answer a = {0};
        ck_assert_int_eq(
            coact_ask(*(peer_ref *)arg, question, &a, COACT_FOREVER, .n = 1),
            0);
        ck_assert_uint_eq(a.n, coact_role_here().id);
    }
}
static void
lends(peer_self self, void *arg)
{
    (void)self, (void)arg;
    static const char *const names[] = {"batch", "default", "interactive"};
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, working_handle, NULL,
                                      .sender_role = true),
                     0);
    for (int i = 0; i < 3; i++) {
        peer_ref asker;
        ck_assert_int_eq(coact_spawn_with(peer, &asker, role_asker, &server,
                                          .role = coact_role_named(names[i])),
                         0);
        join_peer(asker);
    }
    coact_kill(server.ref);
    join_peer(server);
}
static void
lending_scenario(void *arg)
{
    conduct(1, lends, arg);
}
START_TEST(a_server_handles_a_message_in_the_role_of_its_sender)
{
    sim_each_seed(30, lending_scenario, NULL);
}
END_TEST

static void
accounted(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref server;
    struct answer a;
    ck_assert_int_eq(
        coact_serve_with(peer, &server, tally_handle, &tally, .account = true),
        0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(100)), 0);
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 1), 0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(200)), 0);
    struct coact_account account;
    ck_assert_int_eq(coact_account_of(server.ref, &account), 0);
    ck_assert_int_ge(account.receive_ns, COACT_MS(299));
    ck_assert_int_eq(account.other_ns, 0);
    ck_assert_uint_eq(account.waits, 2);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(the_rest_of_a_server_is_on_its_account_as_a_receive)
{
    conduct(1, accounted, NULL);
}
END_TEST

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void
forgetful_handle(peer_turn self, void *state)
{
    (void)state;
    COACT_HANDLE(self) {
    case COACT_ON(go, m):
        (void)coact_mutex_lock(&mutex);
        break;
    }
}
static void
rests_with_a_mutex(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref server;
    struct coact_runtime_stats stats;
    ck_assert_int_eq(coact_serve(peer, &server, forgetful_handle, NULL), 0);
    coact_send(server, go, 0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    coact_stats(coact_runtime_here(), &stats);
    ck_assert_uint_eq(stats.misuses, 1);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(a_server_that_rests_with_a_mutex_held_is_told)
{
    conduct(1, rests_with_a_mutex, NULL);
}
END_TEST

/* ---- Without a stack ----------------------------------------------------- */

static void
limit_stacks(size_t beyond)
{
    for (int i = 0; i < COACT__STACK_CLASSES; i++) {
        struct coact__stacks *stacks =
            coact_runtime_here()->scheduler.stacks[i];
        pthread_mutex_lock(&stacks->lock);
        stacks->max_stacks = stacks->in_use + beyond;
        pthread_mutex_unlock(&stacks->lock);
    }
}

/* From now on no stack can be had: those that the worker has to hand are taken
   by actors that wait. */
static void
take_all_stacks(void)
{
    limit_stacks(0);
    for (bool is_alive = true; is_alive;) {
        peer_ref p = spawn_peer(idle_body, NULL);
        ck_assert_int_eq(coact_sleep(coact_in_ns(1)), 0);
        is_alive = coact_is_alive(p.ref);
    }
}

struct frail {
    struct question *kept;
    int sleep_rc;
    uint32_t clean_ups, given_back, calls;
};
static void
counts_clean_up(void *arg)
{
    ((struct frail *)arg)->clean_ups++;
}
static void
waits_in_clean_up(void *arg)
{
    struct frail *frail = arg;
    frail->clean_ups++;
    frail->sleep_rc = coact_sleep(COACT_FOREVER);
}
static void
fails_in_clean_up(void *arg)
{
    ((struct frail *)arg)->clean_ups++;
    coact_fail(-EIO, "in a clean-up");
}
static void
frail_back(void *arg)
{
    ((struct frail *)arg)->given_back++;
}
static int
frail_init(void **state)
{
    COACT_CHECK(coact_defer(counts_clean_up, *state) == 0);
    COACT_CHECK(coact_defer(fails_in_clean_up, *state) == 0);
    COACT_CHECK(coact_defer(waits_in_clean_up, *state) == 0);
    return coact_arena(100) != NULL ? 0 : -ENOMEM;
}
static void
frail_handle(peer_turn self, void *state)
{
    struct frail *frail = state;
    frail->calls++;
    COACT_HANDLE(self) {
    case COACT_ON(question, m):
        frail->kept = coact_keep(m);
        break;
    case COACT_ON(parcel, m):
        (void)m;
        break;
    }
}
static peer_ref
serve_frail(struct frail *frail, size_t stack_bytes, const char *name)
{
    *frail = (struct frail){.sleep_rc = 1};
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, frail_handle, frail,
                                      .init = frail_init, .name = name,
                                      .destroy_arg = frail_back,
                                      .stack_bytes = stack_bytes),
                     0);
    return server;
}
struct waiter {
    peer_ref to;
    int rc;
    struct coact_reason reason;
};
static void
waiter_body(peer_self self, void *arg)
{
    (void)self;
    struct waiter *waiter = arg;
    struct answer a;
    waiter->rc = coact_ask(waiter->to, question, &a, COACT_FOREVER, .n = 0);
    waiter->reason = coact_last_reason();
}

static void
loses_its_stack(peer_self self, size_t stack_bytes)
{
    struct frail frail;
    coact_monitor_id monitor;
    peer_ref server = serve_frail(&frail, stack_bytes, "frail");
    ck_assert_int_eq(coact_monitor(server.ref, &monitor), 0);
    struct waiter waiter = {.to = server};
    peer_ref p = spawn_peer(waiter_body, &waiter);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    ck_assert_ptr_nonnull(frail.kept);
    take_all_stacks();
    _Atomic uint32_t destroyed = 0;
    ck_assert_int_eq(coact_send(server, parcel, .destroyed = &destroyed), 0);
    struct answer a;
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 1),
                     -EOWNERDEAD);
    ck_assert_int_eq(coact_last_reason().code, -ENOMEM);
    struct coact_down down = expect_down(self);
    ck_assert_int_eq(down.reason.code, -ENOMEM);
    ck_assert_str_eq(down.reason.text, "no stack could be had for it");
    join_peer(p);
    ck_assert_int_eq(waiter.rc, -EOWNERDEAD);
    ck_assert_int_eq(waiter.reason.code, -ENOMEM);
    ck_assert_uint_eq(destroyed, 1);
    ck_assert_uint_eq(frail.clean_ups, 3);
    ck_assert_int_eq(frail.sleep_rc, -ECANCELED);
    ck_assert_uint_eq(frail.given_back, 1);
    ck_assert_uint_eq(frail.calls, 1); // for the question that it kept
    ck_assert_int_eq(coact_whereis(peer, "frail", &server), -ENOENT);
    limit_stacks(1000);
}
static void
loses_its_stack_again(peer_self self, void *arg)
{
    (void)arg;
    loses_its_stack(self, 0);
    loses_its_stack(self, 500000);
    loses_its_stack(self, 0);
}
static void
stackless_scenario(void *arg)
{
    conduct(1, loses_its_stack_again, arg);
}
START_TEST(a_server_at_rest_that_gets_no_stack_ends_as_a_dead_actor_does)
{
    sim_each_seed(20, stackless_scenario, NULL);
}
END_TEST

static void
many_lose_their_stacks(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct frail frails[20];
    peer_ref servers[20];
    for (int i = 0; i < 20; i++) {
        servers[i] = serve_frail(&frails[i], 0, NULL);
    }
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    take_all_stacks();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(coact_send(servers[i], parcel, .number = 1), 0);
    }
    for (int i = 0; i < 20; i++) {
        int code = join_peer(servers[i]).code;
        ck_assert(code == -ENOMEM || code == COACT_NOPROC);
        ck_assert_uint_eq(frails[i].clean_ups, 3);
        ck_assert_uint_eq(frails[i].given_back, 1);
        ck_assert_uint_eq(frails[i].calls, 0);
    }
    limit_stacks(1000);
    peer_ref server = serve_frail(&frails[0], 0, NULL);
    ck_assert_int_eq(coact_send(server, parcel, .number = 1), 0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    ck_assert_uint_eq(frails[0].calls, 1);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(the_clean_ups_of_many_that_get_no_stack_run_one_after_another)
{
    conduct(1, many_lose_their_stacks, NULL);
}
END_TEST

static void
kill_without_stacks(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct frail frail;
    peer_ref server = serve_frail(&frail, 0, NULL);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    take_all_stacks();
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_monitor(server.ref, &monitor), 0);
    coact_kill(server.ref);
    ck_assert_int_eq(expect_down(self).reason.code, COACT_KILLED);
    ck_assert_uint_eq(frail.clean_ups, 3);
}
START_TEST(a_server_that_is_killed_when_there_are_no_stacks_was_killed)
{
    conduct(1, kill_without_stacks, NULL);
}
END_TEST

SUITE_MAIN("server_sim",
           s20_a_server_takes_no_more_than_its_bound_and_gives_room_back,
           a_server_that_is_killed_before_it_begins_is_never_called,
           s18_servers_keep_order_and_lose_no_call_under_any_schedule,
           a_server_that_always_has_a_message_lets_others_run,
           a_server_works_under_the_limit_of_its_role_and_rests_beside_it,
           a_server_handles_a_message_in_the_role_of_its_sender,
           the_rest_of_a_server_is_on_its_account_as_a_receive,
           a_server_that_rests_with_a_mutex_held_is_told,
           a_server_at_rest_that_gets_no_stack_ends_as_a_dead_actor_does,
           the_clean_ups_of_many_that_get_no_stack_run_one_after_another,
           a_server_that_is_killed_when_there_are_no_stacks_was_killed)
