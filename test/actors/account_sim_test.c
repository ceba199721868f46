/*
 * account_sim_test.c - where the time went, exactly: the clock is virtual.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/wheel.h"

#include <coact/account.h>
#include <coact/blocking.h>
#include <coact/io.h>
#include <coact/limit.h>
#include <coact/server.h>

#include <poll.h>
#include <unistd.h>

/* A timer is late by its rounding. */
#define ROUNDING_NS (2 * COACT__WHEEL_TICK_NS)

static void
take_time(int64_t ms)
{
    coact__sim_advance_to(coact_now_ns() + COACT_MS(ms));
}

static void
expect_ms(const char *what, int64_t ns, int64_t ms)
{
    ck_assert_msg(ns >= COACT_MS(ms) && ns <= COACT_MS(ms) + ROUNDING_NS,
                  "%s: %.3f ms, and not %lld", what, (double)ns / 1e6,
                  (long long)ms);
}

static int64_t
sum_of(const struct coact_account *account)
{
    return account->running_ns + account->ready_ns + account->receive_ns +
           account->ask_ns + account->sleep_ns + account->io_ns +
           account->blocking_ns + account->send_ns + account->join_ns +
           account->limit_ns + account->other_ns;
}

static struct coact_account
account_of(coact_ref ref)
{
    struct coact_account account;
    ck_assert_int_eq(coact_account_of(ref, &account), 0);
    ck_assert_int_eq(sum_of(&account), account.total_ns);
    return account;
}

static peer_ref
spawn_accounted(void (*body)(peer_self self, void *arg), void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, body, arg, .account = true),
                     0);
    return ref;
}

/* ---- One of each --------------------------------------------------------- */

static struct coact_limit *limit;

static void
slow_oracle_body(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(question, m): {
        coact_sleep(coact_in_ms(5));
        coact_reply(m, .n = 1);
    } break;
    }
}

static void
holder_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(coact_limit_enter(limit, COACT_FOREVER), 0);
    coact_sleep(coact_in_ms(11));
}

static void
nap_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_sleep(coact_in_ms(13));
}

static void
await_holder(void)
{
    struct coact_limit_stats stats;
    do {
        coact_yield();
        coact_stats_of_limit(limit, &stats);
    } while (stats.working == 0);
}

static void
one_of_each_body(peer_self self, void *arg)
{
    (void)arg;
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    take_time(2);
    coact_sleep(coact_in_ms(3));
    COACT_RECEIVE(self, coact_in_ms(4)) {
    case COACT_ON_TIMEOUT:
        break;
    }
    peer_ref other = spawn_peer(slow_oracle_body, NULL);
    struct answer is;
    ck_assert_int_eq(coact_ask(other, question, &is, COACT_FOREVER, .n = 1), 0);
    ck_assert_int_eq(coact_wait_fd(pipe_fds[0], POLLIN, coact_in_ms(7)),
                     -ETIMEDOUT);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    spawn_peer(holder_body, NULL);
    await_holder();
    ck_assert_int_eq(coact_limit_enter(limit, COACT_FOREVER), 0);
    ck_assert_int_eq(coact_limit_leave(limit), 0);
    ck_assert_int_eq(
        coact_join(spawn_peer(nap_body, NULL).ref, COACT_FOREVER, NULL), 0);
    struct coact_account account = account_of(self.ref);
    expect_ms("running", account.running_ns, 2);
    expect_ms("asleep", account.sleep_ns, 3);
    expect_ms("in receive", account.receive_ns, 4);
    expect_ms("in ask", account.ask_ns, 5);
    expect_ms("in I/O", account.io_ns, 7);
    expect_ms("in a limit", account.limit_ns, 11);
    expect_ms("in join", account.join_ns, 13);
    ck_assert_int_eq(account.other_ns, 0);
    ck_assert_int_eq(account.send_ns, 0);
    ck_assert_int_le(account.ready_ns, 8 * ROUNDING_NS);
    ck_assert_uint_ge(account.waits, 7);
}

static void
one_of_each(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_runtime(1);
    const struct coact_limit_options options = {.most = 1, .rigid = true};
    ck_assert_int_eq(coact_limit_new(&options, &limit), 0);
    join_peer(spawn_accounted(one_of_each_body, NULL));
    stop_runtime(runtime);
    ck_assert_int_eq(coact_limit_free(limit), 0);
}

START_TEST(every_kind_of_wait_has_its_time)
{
    sim_each_seed(50, one_of_each, NULL);
}
END_TEST

/* ---- Ready --------------------------------------------------------------- */

static void
hog_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_sleep(coact_in_ms(1));
    take_time(20);
}

static void
late_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_sleep(coact_in_ms(5));
    struct coact_account account = account_of(coact_self());
    // Nobody looked at the clock until the other had ended, at 21 ms.
    expect_ms("asleep", account.sleep_ns, 5);
    expect_ms("ready", account.ready_ns, 16);
}

static void
reader_body(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
    struct coact_account account = account_of(self.ref);
    expect_ms("in receive", account.receive_ns, 3);
    expect_ms("ready", account.ready_ns, 20);
    ck_assert_int_eq(account.running_ns, 0);
}

static void
sender_body(peer_self self, void *arg)
{
    (void)self;
    coact_sleep(coact_in_ms(3));
    ck_assert_int_eq(coact_send(*(peer_ref *)arg, go, 0), 0);
    take_time(20);
}

START_TEST(who_was_woken_and_does_not_run_is_ready)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref late = spawn_accounted(late_body, NULL);
    join_peer(spawn_peer(hog_body, NULL));
    join_peer(late);
    peer_ref reader = spawn_accounted(reader_body, NULL);
    join_peer(spawn_peer(sender_body, &reader));
    join_peer(reader);
    stop_runtime(runtime);
}
END_TEST

/* ---- Servers ------------------------------------------------------------- */

static void
rested_handle(peer_turn self, void *state)
{
    *(bool *)state = true;
    COACT_HANDLE(self) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
    struct coact_account account = account_of(self.ref);
    expect_ms("in receive", account.receive_ns, 3);
    ck_assert_int_eq(account.running_ns, 0);
    coact_exit(COACT_NORMAL);
}

START_TEST(a_server_at_rest_is_in_receive)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref server;
    bool was_called = false;
    ck_assert_int_eq(coact_serve_with(peer, &server, rested_handle, &was_called,
                                      .account = true),
                     0);
    join_peer(spawn_peer(sender_body, &server));
    join_peer(server);
    ck_assert(was_called);
    stop_runtime(runtime);
}
END_TEST

/* ---- From outside -------------------------------------------------------- */

static void
late_account_body(peer_self self, void *arg)
{
    (void)arg;
    struct coact_account account;
    ck_assert_int_eq(coact_account_of(self.ref, &account), -ENOENT);
    coact_sleep(coact_in_ms(10));
    ck_assert_int_eq(coact_set_account(true), 0);
    ck_assert_int_eq(coact_set_account(true), 0);
    coact_sleep(coact_in_ms(3));
    expect_ms("asleep", account_of(self.ref).sleep_ns, 3);
    ck_assert_int_eq(coact_set_account(false), 0);
    ck_assert_int_eq(coact_set_account(false), 0);
    ck_assert_int_eq(coact_account_of(self.ref, &account), -ENOENT);
}

static bool
has_account(void *context, const struct coact_actor_info *info)
{
    uint32_t *accounts = context;
    if (info->account != NULL) {
        *accounts += 1;
        ck_assert_int_eq(sum_of(info->account), info->account->total_ns);
    }
    return true;
}

START_TEST(an_account_can_be_read_by_others_while_it_grows)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref sleeper = spawn_accounted(sleep_until_killed, NULL);
    peer_ref plain = spawn_peer(sleep_until_killed, NULL);
    join_peer(spawn_peer(late_account_body, NULL));
    struct coact_account account = account_of(sleeper.ref);
    expect_ms("asleep", account.sleep_ns + account.ready_ns, 13);
    ck_assert_int_eq(coact_account_of(plain.ref, &account), -ENOENT);
    uint32_t accounts = 0;
    coact_each_actor(runtime, has_account, &accounts);
    ck_assert_uint_eq(accounts, 1);
    coact_kill(sleeper.ref);
    join_peer(sleeper);
    ck_assert_int_eq(coact_account_of(sleeper.ref, &account), -ESRCH);
    ck_assert_int_eq(coact_set_account(true), -EPERM);
    stop_runtime(runtime);
    ck_assert_int_eq(coact_account_of(plain.ref, &account), -EPERM);
}
END_TEST

START_TEST(a_runtime_can_account_for_all_of_its_actors)
{
    const struct coact_runtime_options options = {.log = log_nothing,
                                                  .account = true};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    // Some end early that came late, and are found by the same way as others.
    peer_ref refs[600];
    for (int i = 0; i < 600; i++) {
        refs[i] = spawn_peer(i < 300 ? sleep_until_killed : nap_body, NULL);
    }
    ck_assert_int_eq(coact_join(refs[0].ref, coact_in_ms(40), NULL),
                     -ETIMEDOUT);
    uint32_t accounts = 0;
    coact_each_actor(runtime, has_account, &accounts);
    ck_assert_uint_eq(accounts, 300);
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(coact_kill(refs[i].ref), 0);
    }
    for (int i = 0; i < 600; i++) {
        struct coact_account account;
        join_peer(refs[i]);
        ck_assert_int_eq(coact_account_of(refs[i].ref, &account), -ESRCH);
    }
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_spawn_with_an_account_fails_whole_without_memory)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref ref;
    int rc = -ENOMEM;
    for (unsigned long n = 1; rc != 0; n++) {
        coact__fail_nth(n, false);
        rc = coact_spawn_with(peer, &ref, idle_body, NULL, .account = true,
                              .label = "accounted");
        coact__fail_nth(0, false);
        ck_assert(rc == 0 || rc == -ENOMEM);
    }
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("account_sim", every_kind_of_wait_has_its_time,
           who_was_woken_and_does_not_run_is_ready,
           a_server_at_rest_is_in_receive,
           an_account_can_be_read_by_others_while_it_grows,
           a_runtime_can_account_for_all_of_its_actors,
           a_spawn_with_an_account_fails_whole_without_memory)
