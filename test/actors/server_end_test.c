/*
 * server_end_test.c - how servers begin, and how they end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "test/actors/server_world.h"

/* ---- The end ------------------------------------------------------------- */

static void
end_by_kill(peer_ref server)
{
    coact_kill(server.ref);
}
static void
end_by_signal(peer_ref server)
{
    coact_signal_exit(server.ref, -EIO, "a text");
}
static void
end_by_shutdown(peer_ref server)
{
    coact_signal_exit(server.ref, COACT_SHUTDOWN, "");
}
static void
end_by_itself(peer_ref server)
{
    coact_send(server, item, .from = LEAVE, .number = 300);
}
static void
end_by_failing(peer_ref server)
{
    coact_send(server, item, .from = FAIL, .number = 5);
}

static const struct way {
    void (*end)(peer_ref server);
    int code;
    const char *text;
    uint32_t cancels;
} ways[] = {
    {end_by_kill, COACT_KILLED, "", 1},
    {end_by_signal, -EIO, "a text", 1},
    {end_by_shutdown, COACT_SHUTDOWN, "", 1},
    {end_by_itself, 300, "", 0},
    {end_by_failing, -5, "failed on 5", 0},
};

static void
ends(peer_self self, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct tally tally = {0};
        peer_ref server;
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &tally,
                                          .init = tally_init, .name = "it",
                                          .monitor = &monitor),
                         0);
        wait_until_at_rest(1);
        ways[i].end(server);
        struct coact_down down = expect_down(self);
        ck_assert_uint_eq(down.monitor.id, monitor.id);
        ck_assert_int_eq(down.reason.code, ways[i].code);
        ck_assert_str_eq(down.reason.text, ways[i].text);
        ck_assert_uint_eq(tally.clean_ups, 1);
        ck_assert_uint_eq(tally.cancels, ways[i].cancels);
        ck_assert_int_eq(coact_send(server, go, 0), -ESRCH);
        ck_assert_int_eq(coact_whereis(peer, "it", &server), -ENOENT);
    }
}
START_TEST(a_server_at_rest_ends_with_the_reason_it_is_given)
{
    conduct(2, ends, NULL);
}
END_TEST

static void
exits_holding(peer_turn self, void *state)
{
    (void)state;
    COACT_HANDLE(self) {
    case COACT_ON(parcel, m):
        (void)coact_keep(m);
        break;
    case COACT_ON(question, m):
        coact_exit(COACT_NORMAL);
        break;
    }
}
static void
leaves_in_the_middle(peer_self self, void *arg)
{
    (void)self, (void)arg;
    _Atomic uint32_t destroyed = 0;
    peer_ref server;
    ck_assert_int_eq(coact_serve(peer, &server, exits_holding, NULL), 0);
    coact_send(server, parcel, .destroyed = &destroyed);
    struct answer a;
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 1),
                     -EOWNERDEAD);
    join_peer(server);
    ck_assert_uint_eq(destroyed, 1);
}
START_TEST(a_handler_that_exits_loses_no_message_that_it_holds)
{
    conduct(2, leaves_in_the_middle, NULL);
}
END_TEST

static void
linked_pair(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally one = {0}, other = {0};
    peer_ref a, b;
    ck_assert_int_eq(
        coact_serve_with(peer, &a, tally_handle, &one, .init = tally_init), 0);
    ck_assert_int_eq(
        coact_serve_with(peer, &b, tally_handle, &other, .init = tally_init),
        0);
    // b links itself to a; then it is a that fails.
    one.peer = other.peer = a;
    coact_send(b, item, .from = LINK);
    wait_until_at_rest(2);
    end_by_failing(a);
    struct coact_reason reason = join_peer(b);
    ck_assert(reason.code == -5 || reason.code == COACT_NOPROC);
    ck_assert_uint_eq(one.clean_ups, 1);
    ck_assert_uint_eq(other.clean_ups, 1);
}
START_TEST(a_server_at_rest_ends_with_whom_it_is_linked_to)
{
    conduct(2, linked_pair, NULL);
}
END_TEST

static void
watches(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &tally,
                                      .trap_exit = true),
                     0);
    tally.peer = spawn_peer(until_go_body, NULL);
    coact_send(server, item, .from = MONITOR);
    coact_send(server, item, .from = LINK);
    struct answer a = {1};
    ck_assert_int_eq(
        coact_ask(server, question, &a, IN_TIME, .n = HOW_MUCH_NEWS), 0);
    ck_assert_uint_eq(a.n, 0);
    coact_send(tally.peer, go, 0);
    for (int64_t limit_ns = IN_TIME; a.n < 2 && coact_now_ns() < limit_ns;) {
        ck_assert_int_eq(
            coact_ask(server, question, &a, IN_TIME, .n = HOW_MUCH_NEWS), 0);
    }
    coact_kill(server.ref);
    join_peer(server);
    ck_assert_uint_eq(tally.downs, 1);
    ck_assert_uint_eq(tally.exits, 1);
}
START_TEST(a_server_hears_of_whom_it_monitors_and_is_linked_to)
{
    conduct(2, watches, NULL);
}
END_TEST

/* Whether stacks come back to the worker that needs one is chance: a server
   answers, or it ends in order. */
enum { FRAIL = 300 };

static void
short_of_stacks(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally *tallies = calloc(FRAIL, sizeof(*tallies));
    peer_ref *servers = calloc(FRAIL, sizeof(*servers));
    for (int i = 0; i < FRAIL; i++) {
        ck_assert_int_eq(coact_serve_with(peer, &servers[i], tally_handle,
                                          &tallies[i], .init = tally_init),
                         0);
    }
    wait_until_at_rest(FRAIL);
    struct coact__stacks *stacks = coact_runtime_here()->scheduler.stacks[0];
    pthread_mutex_lock(&stacks->lock);
    stacks->max_stacks = stacks->in_use;
    pthread_mutex_unlock(&stacks->lock);
    for (bool is_alive = true; is_alive;) {
        peer_ref p = spawn_peer(idle_body, NULL);
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
        is_alive = coact_is_alive(p.ref);
    }
    for (int i = 0; i < FRAIL; i++) {
        (void)coact_send(servers[i], go, 0);
    }
    uint32_t ended = 0;
    for (int i = 0; i < FRAIL; i++) {
        struct answer a = {0};
        int rc = coact_ask(servers[i], question, &a, IN_TIME, .n = 1);
        ck_assert_msg(rc == 0 || rc == -EOWNERDEAD || rc == -ESRCH, "%s",
                      coact_strerror(rc));
        coact_kill(servers[i].ref);
        join_peer(servers[i]);
        ck_assert_uint_eq(tallies[i].clean_ups, 1);
        ended += rc < 0;
    }
    pthread_mutex_lock(&stacks->lock);
    stacks->max_stacks += 1000;
    pthread_mutex_unlock(&stacks->lock);
    ck_assert_uint_gt(ended, 0);
    free(tallies);
    free(servers);
}
START_TEST(servers_that_get_no_stack_on_several_workers_clean_up_all_the_same)
{
    conduct(2, short_of_stacks, NULL);
}
END_TEST

/* ---- Init ---------------------------------------------------------------- */

static int
failing_init(void **state)
{
    struct tally *tally = *state;
    int rc = tally_init(state);
    COACT_CHECK(rc == 0);
    if (tally->fails_with_text) {
        coact_fail(-ENOENT, "no ledger %d", 7);
    }
    return -ENOENT;
}
static void
init_fails(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct tally tally = {.fails_with_text = i == 1};
        peer_ref server;
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &tally,
                                          .init = failing_init,
                                          .monitor = &monitor),
                         0);
        struct answer a;
        int rc = coact_ask(server, question, &a, IN_TIME, .n = 1);
        ck_assert(rc == -EOWNERDEAD || rc == -ESRCH);
        struct coact_down down = expect_down(self);
        ck_assert_int_eq(down.reason.code, -ENOENT);
        ck_assert_str_eq(down.reason.text,
                         i == 1 ? "no ledger 7" : "its init failed");
        ck_assert_uint_eq(tally.clean_ups, 1);
        ck_assert_uint_eq(tally.questions, 0);
        ck_assert_uint_eq(tally.cancels, 0);
    }
}
START_TEST(an_init_that_fails_ends_the_server_with_its_reason)
{
    conduct(2, init_fails, NULL);
}
END_TEST

static _Atomic uint32_t given_back;
static int given;
static void
give_back(void *arg)
{
    ck_assert_ptr_eq(arg, &given);
    atomic_fetch_add_explicit(&given_back, 1, memory_order_relaxed);
}
static int
makes_its_state(void **state)
{
    ck_assert_ptr_eq(*state, &given);
    *state = coact_arena(sizeof(struct tally));
    if (*state == NULL) {
        return -ENOMEM;
    }
    memset(*state, 0, sizeof(struct tally));
    return 0;
}
static void
state_of_its_own(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &given,
                                      .init = makes_its_state,
                                      .destroy_arg = give_back),
                     0);
    for (uint32_t i = 0; i < 3; i++) {
        coact_send(server, item, .from = COUNT, .number = i);
    }
    struct answer a = {0};
    ck_assert_int_eq(
        coact_ask(server, question, &a, IN_TIME, .n = HOW_MANY_ITEMS), 0);
    ck_assert_uint_eq(a.n, 3);
    coact_kill(server.ref);
    join_peer(server);
    ck_assert_uint_eq(given_back, 1);
}
START_TEST(what_init_makes_is_the_state_and_the_argument_goes_back)
{
    conduct(2, state_of_its_own, NULL);
}
END_TEST

static void
init_of_a_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref p;
    ck_assert_int_eq(
        coact_spawn_with(peer, &p, idle_body, NULL, .init = tally_init),
        -EINVAL);
    struct coact_runtime_stats stats;
    coact_stats(coact_runtime_here(), &stats);
    ck_assert_uint_eq(stats.misuses, 1);
}
START_TEST(a_body_has_no_init)
{
    conduct(1, init_of_a_body, NULL);
}
END_TEST

/* ---- Time ---------------------------------------------------------------- */

static int
ticking_init(void **state)
{
    struct tally *tally = *state;
    return coact_timer_start(&tally->timer, coact_in_ms(1), COACT_MS(1), tally);
}
static void
ticks(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle, &tally,
                                      .init = ticking_init),
                     0);
    // The fifth tick cancels the timer.
    struct answer a = {0};
    for (int64_t limit_ns = IN_TIME; a.n < 5 && coact_now_ns() < limit_ns;) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
        ck_assert_int_eq(
            coact_ask(server, question, &a, IN_TIME, .n = HOW_MANY_TICKS), 0);
    }
    ck_assert_uint_eq(a.n, 5);
    ck_assert_int_eq(coact_sleep(coact_in_ms(10)), 0);
    ck_assert_int_eq(
        coact_ask(server, question, &a, IN_TIME, .n = HOW_MANY_TICKS), 0);
    ck_assert_uint_eq(a.n, 5);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(s35_a_server_at_rest_gets_its_ticks)
{
    conduct(2, ticks, NULL);
}
END_TEST

SUITE_MAIN("server_end", a_server_at_rest_ends_with_the_reason_it_is_given,
           a_handler_that_exits_loses_no_message_that_it_holds,
           a_server_at_rest_ends_with_whom_it_is_linked_to,
           a_server_hears_of_whom_it_monitors_and_is_linked_to,
           servers_that_get_no_stack_on_several_workers_clean_up_all_the_same,
           an_init_that_fails_ends_the_server_with_its_reason,
           what_init_makes_is_the_state_and_the_argument_goes_back,
           a_body_has_no_init, s35_a_server_at_rest_gets_its_ticks)
