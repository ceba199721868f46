/*
 * role_threads_test.c - roles, limits and accounts on several workers at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include <coact/account.h>
#include <coact/limit.h>

#define CLIENTS 24
#define ROUNDS 200

static const struct coact_role_options roles[] = {
    {.name = "few", .limit = 2}, {.name = "front", .target_ns = COACT_MS(5)}};
static const char *const names[] = {"batch", "front", "default", "system"};

static peer_ref server;
static struct coact_limit *limit;
static _Atomic uint32_t working, most;

static struct coact_runtime *
start_four(bool account)
{
    const struct coact_runtime_options options = {.workers = 4,
                                                  .log = log_nothing,
                                                  .roles = roles,
                                                  .role_count = 2,
                                                  .account = account};
    struct coact_runtime *runtime = NULL;
    atomic_store(&working, 0);
    atomic_store(&most, 0);
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

static peer_ref
spawn_in(const char *role, void (*body)(peer_self self, void *arg))
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, body, NULL,
                                      .role = coact_role_named(role)),
                     0);
    return ref;
}

static void
work(void)
{
    uint32_t now = atomic_fetch_add(&working, 1) + 1;
    uint32_t seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {
    }
    coact_yield();
    atomic_fetch_sub(&working, 1);
}

/* ---- Lent ---------------------------------------------------------------- */

static void
lending_body(peer_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(question, m):
            coact_reply(m, .n = coact_role_here().id);
            break;
        case COACT_ON_CANCELLED:
            return;
        }
    }
}

static void
client_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    uint8_t role = coact_role_here().id;
    for (int i = 0; i < ROUNDS; i++) {
        struct answer is;
        ck_assert_int_eq(
            coact_ask(server, question, &is, COACT_FOREVER, .n = 1), 0);
        // Its own, or a tighter one that waits behind it.
        ck_assert(is.n == role || is.n == coact_role_named("front").id ||
                  is.n == coact_role_named("system").id);
    }
}

static void
lend(bool account)
{
    struct coact_runtime *runtime = start_four(account);
    peer_ref clients[CLIENTS];
    ck_assert_int_eq(coact_spawn_with(peer, &server, lending_body, NULL,
                                      .sender_role = true),
                     0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = spawn_in(names[i % 4], client_body);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct coact_delay delay;
        struct coact_account of;
        ck_assert_int_eq(
            coact_delay_recent(runtime, coact_role_named(names[i % 4]), &delay),
            0);
        int rc = coact_account_of(server.ref, &of);
        ck_assert_int_eq(rc, account ? 0 : -ENOENT);
        join_peer(clients[i]);
    }
    coact_kill(server.ref);
    join_peer(server);
    stop_runtime(runtime);
}

START_TEST(s52_roles_are_lent_on_many_workers)
{
    lend(false);
}
END_TEST

START_TEST(accounts_are_read_while_they_are_written)
{
    lend(true);
}
END_TEST

/* ---- An account, while it is written ------------------------------------- */

#define NAPS 4000

static _Atomic bool has_napped;

static void
napping_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < NAPS; i++) {
        ck_assert_int_eq(coact_sleep(coact_in_ns(COACT_US(50))), 0);
    }
    atomic_store(&has_napped, true);
    until_go_body(self, NULL);
}

struct reading {
    int64_t before_ns, after_ns, total_ns;
};

static struct reading
read_account(peer_ref ref)
{
    struct coact_account account;
    struct reading is = {.before_ns = coact_now_ns()};
    ck_assert_int_eq(coact_account_of(ref.ref, &account), 0);
    is.total_ns = account.total_ns;
    is.after_ns = coact_now_ns();
    return is;
}

/* It grows as time does: no nap is missing, and none is in it twice. */
START_TEST(what_is_read_of_an_account_is_of_one_moment)
{
    struct coact_runtime *runtime = start_four(true);
    atomic_store(&has_napped, false);
    peer_ref napping = spawn_peer(napping_body, NULL);
    struct reading was = read_account(napping);
    while (!atomic_load(&has_napped)) {
        struct reading is = read_account(napping);
        ck_assert_int_ge(is.total_ns - was.total_ns,
                         is.before_ns - was.after_ns);
        ck_assert_int_le(is.total_ns - was.total_ns,
                         is.after_ns - was.before_ns);
        was = is;
    }
    ck_assert_int_eq(coact_send(napping, go, 0), 0);
    join_peer(napping);
    stop_runtime(runtime);
}
END_TEST

/* ---- Limits -------------------------------------------------------------- */

static void
few_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < ROUNDS / 4; i++) {
        work();
        coact_sleep(coact_in_ns(COACT_US(50)));
    }
}

static void
entering_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int rc = coact_limit_enter(limit, IN_TIME);
        if (rc == -ECANCELED) {
            return; // killed
        }
        if (rc < 0) {
            ck_assert_int_eq(rc, -EAGAIN);
            coact_yield();
            continue;
        }
        work();
        if (i % 8 == 0) {
            coact_sleep(coact_in_ns(COACT_US(50)));
            work();
        }
        ck_assert_int_eq(coact_limit_leave(limit), 0);
    }
}

static void
run_all(const char *role, void (*body)(peer_self self, void *arg),
        int killed_every)
{
    peer_ref refs[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        refs[i] = spawn_in(role, body);
    }
    for (int i = killed_every - 1; i < CLIENTS - 1; i += killed_every) {
        coact_kill(refs[i].ref);
    }
    for (int i = 0; i < CLIENTS; i++) {
        join_peer(refs[i]);
    }
}

static void
expect_empty(const struct coact_limit_stats *stats)
{
    ck_assert_uint_eq(stats->working, 0);
    ck_assert_uint_eq(stats->inside, 0);
    ck_assert_uint_eq(stats->queued, 0);
}

START_TEST(s53_a_role_with_a_limit_keeps_it_on_many_workers)
{
    struct coact_runtime *runtime = start_four(true);
    run_all("few", few_body, CLIENTS);
    ck_assert_uint_le(atomic_load(&most), 2);
    // Who is killed in the middle of his work is beside the limit from then on.
    run_all("few", few_body, 5);
    struct coact_role_stats stats;
    ck_assert_int_eq(
        coact_stats_of_role(runtime, coact_role_named("few"), &stats), 0);
    expect_empty(&stats.limit);
    stop_runtime(runtime);
}
END_TEST

static void
keep_limit(struct coact_limit_options options)
{
    struct coact_runtime *runtime = start_four(false);
    ck_assert_int_eq(coact_limit_new(&options, &limit), 0);
    run_all("batch", entering_body, CLIENTS);
    ck_assert_uint_le(atomic_load(&most), options.most);
    run_all("batch", entering_body, 5);
    struct coact_limit_stats stats;
    coact_stats_of_limit(limit, &stats);
    expect_empty(&stats);
    stop_runtime(runtime);
    ck_assert_int_eq(coact_limit_free(limit), 0);
}

START_TEST(s53_a_limit_loses_no_slot_on_many_workers)
{
    keep_limit((struct coact_limit_options){.most = 3});
    keep_limit((struct coact_limit_options){.most = 1, .rigid = true});
    keep_limit((struct coact_limit_options){
        .most = 2, .queue_most = 4, .full = COACT_LIMIT_SHED});
}
END_TEST

SUITE_MAIN("role_threads", s52_roles_are_lent_on_many_workers,
           accounts_are_read_while_they_are_written,
           what_is_read_of_an_account_is_of_one_moment,
           s53_a_role_with_a_limit_keeps_it_on_many_workers,
           s53_a_limit_loses_no_slot_on_many_workers)
