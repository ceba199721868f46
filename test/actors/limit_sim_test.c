/*
 * limit_sim_test.c - slots: who has one, who gets the next, and none is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <coact/limit.h>

#define SEEDS 200
#define N 3u

static struct {
    uint32_t working, most;
    uint32_t order[64], count;
} seen;

static void
work_begins(void)
{
    seen.working++;
    seen.most = seen.working > seen.most ? seen.working : seen.most;
}

static void
work_ends(void)
{
    seen.working--;
}

/* Works without a wait, but lets others run. */
static void
work(void)
{
    work_begins();
    for (int i = 0; i < 5; i++) {
        coact_yield();
    }
    work_ends();
}

static struct coact_runtime *
start_limited(bool rigid)
{
    const struct coact_role_options roles[] = {
        {.name = "few", .limit = N, .rigid_limit = rigid}};
    const struct coact_runtime_options options = {
        .log = log_nothing, .roles = roles, .role_count = 1};
    struct coact_runtime *runtime;
    memset(&seen, 0, sizeof(seen));
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

static peer_ref
spawn_few(void (*body)(peer_self self, void *arg), void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, body, arg,
                                      .role = coact_role_named("few")),
                     0);
    return ref;
}

static struct coact_limit_stats
limit_of_few(struct coact_runtime *runtime)
{
    struct coact_role_stats stats;
    ck_assert_int_eq(
        coact_stats_of_role(runtime, coact_role_named("few"), &stats), 0);
    return stats.limit;
}

static void
expect_whole(struct coact_limit_stats stats)
{
    ck_assert_uint_eq(stats.working, 0);
    ck_assert_uint_eq(stats.inside, 0);
    ck_assert_uint_eq(stats.queued, 0);
}

/* ---- In a role ----------------------------------------------------------- */

static void
napping_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    work_begins();
    work_ends();
    coact_sleep(coact_in_ms(1000));
    work_begins();
    work_ends();
}

static void
working_body(peer_self self, void *arg)
{
    (void)self;
    for (int i = 0; i < 3; i++) {
        work();
    }
    *(int64_t *)arg = coact_now_ns();
}

/* When the last of N who only work is done, beside ten times as many who sleep. */
static int64_t
work_beside_sleepers(struct coact_runtime *runtime)
{
    int64_t done[N] = {0}, last = 0, start = coact_now_ns();
    peer_ref nappers[10 * N], workers[N];
    for (uint32_t i = 0; i < 10 * N; i++) {
        nappers[i] = spawn_few(napping_body, NULL);
    }
    // They have all begun, or are in the queue before those that work.
    peer_ref pause = spawn_peer(until_go_body, NULL);
    ck_assert_int_eq(coact_join(pause.ref, coact_in_ms(10), NULL), -ETIMEDOUT);
    for (uint32_t i = 0; i < N; i++) {
        workers[i] = spawn_few(working_body, &done[i]);
    }
    for (uint32_t i = 0; i < N; i++) {
        join_peer(workers[i]);
        last = done[i] > last ? done[i] : last;
    }
    for (uint32_t i = 0; i < 10 * N; i++) {
        join_peer(nappers[i]);
    }
    coact_kill(pause.ref);
    ck_assert_uint_le(seen.most, N);
    expect_whole(limit_of_few(runtime));
    return last - start;
}

static void
elastic(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_limited(false);
    ck_assert_int_lt(work_beside_sleepers(runtime), COACT_MS(100));
    ck_assert_uint_ge(limit_of_few(runtime).given_back, 10 * N);
    stop_runtime(runtime);
}

START_TEST(s53_sleepers_in_a_role_with_an_elastic_limit_do_not_stop_others)
{
    sim_each_seed(SEEDS, elastic, NULL);
}
END_TEST

START_TEST(s53_in_a_role_with_a_rigid_limit_they_do)
{
    struct coact_runtime *runtime = start_limited(true);
    // Ten rounds of sleepers are before them.
    ck_assert_int_ge(work_beside_sleepers(runtime), COACT_MS(9000));
    struct coact_limit_stats stats = limit_of_few(runtime);
    ck_assert_uint_eq(stats.given_back, 0);
    ck_assert_int_ge(stats.longest_ns, COACT_MS(8000));
    stop_runtime(runtime);
}
END_TEST

static void
server_body(peer_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(question, m): {
            work();
            coact_reply(m, .n = m->n);
        } break;
        case COACT_ON_CANCELLED:
            return;
        }
    }
}

static void
asker_body(peer_self self, void *arg)
{
    (void)self;
    for (uint64_t i = 0; i < 5; i++) {
        struct answer is;
        ck_assert_int_eq(
            coact_ask(*(peer_ref *)arg, question, &is, COACT_FOREVER, .n = i),
            0);
        ck_assert_uint_eq(is.n, i);
    }
}

static void
serve(void *arg)
{
    struct coact_runtime *runtime = start_limited(*(bool *)arg);
    peer_ref servers[4 * N], askers[4 * N];
    for (uint32_t i = 0; i < 4 * N; i++) {
        servers[i] = spawn_few(server_body, NULL);
        askers[i] = spawn_peer(asker_body, &servers[i]);
    }
    for (uint32_t i = 0; i < 4 * N; i++) {
        join_peer(askers[i]);
    }
    ck_assert_uint_le(seen.most, N);
    ck_assert_uint_eq(limit_of_few(runtime).inside, 4 * N);
    for (uint32_t i = 0; i < 4 * N; i++) {
        coact_kill(servers[i].ref);
        join_peer(servers[i]);
    }
    expect_whole(limit_of_few(runtime));
    stop_runtime(runtime);
}

START_TEST(who_waits_for_a_message_is_not_in_the_middle_of_work)
{
    bool rigid = false;
    sim_each_seed(SEEDS, serve, &rigid);
    rigid = true;
    sim_each_seed(SEEDS, serve, &rigid);
}
END_TEST

static void
mover_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    work();
    ck_assert_int_eq(coact_set_role(coact_role_named("batch")), 0);
    coact_yield();
    ck_assert_int_eq(coact_set_role(coact_role_named("few")), 0);
    work();
}

START_TEST(a_change_of_role_is_a_change_of_limits)
{
    struct coact_runtime *runtime = start_limited(true);
    peer_ref movers[5 * N];
    for (uint32_t i = 0; i < 5 * N; i++) {
        movers[i] = spawn_few(mover_body, NULL);
    }
    for (uint32_t i = 0; i < 5 * N; i++) {
        join_peer(movers[i]);
    }
    ck_assert_uint_le(seen.most, N);
    expect_whole(limit_of_few(runtime));
    stop_runtime(runtime);
}
END_TEST

/* ---- By itself ----------------------------------------------------------- */

static struct coact_limit *limit;

static void
open_limit(struct coact_limit_options options)
{
    memset(&seen, 0, sizeof(seen));
    ck_assert_int_eq(coact_limit_new(&options, &limit), 0);
}

static struct coact_limit_stats
limit_stats(void)
{
    struct coact_limit_stats stats;
    coact_stats_of_limit(limit, &stats);
    return stats;
}

static void
close_limit(void)
{
    expect_whole(limit_stats());
    ck_assert_int_eq(coact_limit_free(limit), 0);
}

struct entrant {
    uint32_t number;
    int rc;
    int64_t patience_ms;
};

static void
entrant_body(peer_self self, void *arg)
{
    (void)self;
    struct entrant *entrant = arg;
    coact_sleep(coact_in_ms(entrant->number)); // one after another
    entrant->rc = coact_limit_enter(limit, coact_in_ms(entrant->patience_ms));
    if (entrant->rc == 0) {
        seen.order[seen.count++] = entrant->number;
        coact_sleep(coact_in_ms(100));
        ck_assert_int_eq(coact_limit_leave(limit), 0);
    }
}

static void
run_entrants(struct entrant *entrants, uint32_t count, uint32_t killed)
{
    peer_ref refs[16];
    for (uint32_t i = 0; i < count; i++) {
        entrants[i].number = i;
        entrants[i].rc = 1;
        refs[i] = spawn_peer(entrant_body, &entrants[i]);
    }
    ck_assert_int_eq(coact_join(refs[0].ref, coact_in_ms(50), NULL),
                     -ETIMEDOUT);
    ck_assert_int_eq(coact_limit_free(limit), -EBUSY);
    if (killed < count) {
        coact_kill(refs[killed].ref);
    }
    for (uint32_t i = 0; i < count; i++) {
        join_peer(refs[i]);
    }
}

static void
in_order(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_runtime(1);
    struct entrant entrants[6];
    for (int i = 0; i < 6; i++) {
        entrants[i].patience_ms = 10000;
    }
    open_limit((struct coact_limit_options){.most = 1, .rigid = true});
    run_entrants(entrants, 6, 3);
    // The one that was killed in the queue did not get in.
    static const uint32_t order[] = {0, 1, 2, 4, 5};
    ck_assert_uint_eq(seen.count, 5);
    ck_assert_mem_eq(seen.order, order, sizeof(order));
    ck_assert_int_eq(entrants[3].rc, -ECANCELED);
    ck_assert_uint_eq(limit_stats().given_up, 1);
    ck_assert_uint_eq(limit_stats().entered, 5);
    ck_assert_uint_eq(limit_stats().waited, 4);
    ck_assert_int_ge(limit_stats().longest_ns, COACT_MS(390));
    close_limit();
    stop_runtime(runtime);
}

START_TEST(s53_slots_are_given_in_the_order_of_coming)
{
    sim_each_seed(SEEDS, in_order, NULL);
}
END_TEST

START_TEST(who_comes_to_a_full_queue_is_refused)
{
    struct coact_runtime *runtime = start_runtime(1);
    struct entrant entrants[6];
    for (int i = 0; i < 6; i++) {
        entrants[i].patience_ms = 10000;
    }
    open_limit((struct coact_limit_options){
        .most = 1, .rigid = true, .queue_most = 2});
    run_entrants(entrants, 6, 6);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(entrants[i].rc, i < 3 ? 0 : -EAGAIN);
    }
    ck_assert_uint_eq(limit_stats().rejected, 3);
    close_limit();
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_full_queue_that_sheds_refuses_who_has_waited_longest)
{
    struct coact_runtime *runtime = start_runtime(1);
    struct entrant entrants[6];
    for (int i = 0; i < 6; i++) {
        entrants[i].patience_ms = 10000;
    }
    open_limit((struct coact_limit_options){
        .most = 1, .rigid = true, .queue_most = 2, .full = COACT_LIMIT_SHED});
    run_entrants(entrants, 6, 6);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(entrants[i].rc, i == 0 || i > 3 ? 0 : -EAGAIN);
    }
    ck_assert_uint_eq(limit_stats().rejected, 3);
    close_limit();
    stop_runtime(runtime);
}
END_TEST

START_TEST(who_waits_for_a_slot_waits_until_its_deadline)
{
    struct coact_runtime *runtime = start_runtime(1);
    struct entrant entrants[3] = {
        {.patience_ms = 10}, {.patience_ms = 10}, {.patience_ms = 5000}};
    open_limit((struct coact_limit_options){.most = 1, .rigid = true});
    run_entrants(entrants, 3, 3);
    ck_assert_int_eq(entrants[0].rc, 0);
    ck_assert_int_eq(entrants[1].rc, -ETIMEDOUT);
    ck_assert_int_eq(entrants[2].rc, 0);
    close_limit();
    stop_runtime(runtime);
}
END_TEST

static void
misuse_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(coact_limit_leave(limit), -ENOENT);
    ck_assert_int_eq(coact_limit_enter(limit, COACT_NOW), 0);
    ck_assert_int_eq(coact_limit_enter(limit, COACT_NOW), -EDEADLK);
    ck_assert_int_eq(coact_limit_leave(limit), 0);
    ck_assert_int_eq(coact_limit_leave(limit), -ENOENT);
}

START_TEST(one_limit_at_a_time_can_be_entered)
{
    struct coact_runtime *runtime = start_runtime(1);
    const struct coact_limit_options none = {.most = 0};
    ck_assert_int_eq(coact_limit_new(&none, &limit), -EINVAL);
    open_limit((struct coact_limit_options){.most = 1});
    ck_assert_int_eq(coact_limit_enter(limit, COACT_NOW), -EPERM);
    ck_assert_int_eq(coact_limit_leave(limit), -EPERM);
    int code = join_peer(spawn_peer(misuse_body, NULL)).code;
    ck_assert(code == COACT_NORMAL || code == COACT_NOPROC); // we may be late
    close_limit();
    ck_assert_int_eq(coact_limit_free(NULL), 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- None is lost -------------------------------------------------------- */

static void
tidy(void *arg)
{
    (void)arg;
    coact_sleep(coact_in_ms(1));
    // Beside all limits, and not again into one.
    ck_assert_int_eq(coact_limit_enter(limit, COACT_FOREVER), -ECANCELED);
}

/* In the middle of work: how it goes on, the seed decides. */
static void
live_on(peer_self self)
{
    switch (coact__oracle_choose(8)) {
    case 0:
        coact_fail(-EIO, "on purpose");
    case 1:
        coact_exit(COACT_NORMAL);
    case 2:
        coact_sleep(coact_in_ms(1 + coact__oracle_choose(3)));
        break;
    case 3:
        COACT_RECEIVE(self, coact_in_ms(1)) {
        case COACT_ON_TIMEOUT:
            break;
        }
        break;
    case 4:
        coact_yield();
        break;
    default:
        work();
        break;
    }
}

static void
wild_body(peer_self self, void *arg)
{
    (void)arg;
    if (coact__oracle_choose(2) == 0) {
        ck_assert_int_eq(coact_defer(tidy, NULL), 0);
    }
    for (int i = 0; i < 6; i++) {
        if (coact__oracle_choose(2) == 0) {
            live_on(self);
        }
        int64_t deadline = coact_in_ms(coact__oracle_choose(5));
        if (coact_limit_enter(limit, deadline) == 0) {
            live_on(self);
            if (coact__oracle_choose(4) != 0) {
                coact_limit_leave(limit);
            }
        }
    }
}

static void
wild(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_limited(coact__oracle_choose(2) == 0);
    open_limit((struct coact_limit_options){
        .most = 1 + coact__oracle_choose(3),
        .rigid = coact__oracle_choose(2) == 0,
        .queue_most = coact__oracle_choose(4),
        .full = coact__oracle_choose(2) == 0 ? COACT_LIMIT_REJECT
                                             : COACT_LIMIT_SHED});
    peer_ref refs[16];
    for (int i = 0; i < 16; i++) {
        refs[i] = i % 2 == 0 ? spawn_few(wild_body, NULL)
                             : spawn_peer(wild_body, NULL);
    }
    for (int i = 0; i < 6; i++) {
        (void)!coact_join(refs[i].ref,
                          coact_in_ns(coact__oracle_choose(3000000)), NULL);
        coact_kill(refs[coact__oracle_choose(16)].ref);
    }
    if (coact__oracle_choose(3) != 0) {
        for (int i = 0; i < 16; i++) {
            join_peer(refs[i]);
        }
        expect_whole(limit_of_few(runtime));
    }
    stop_runtime(runtime); // with those that are left
    close_limit();
}

START_TEST(s53_no_slot_is_lost_whatever_becomes_of_who_had_it)
{
    sim_each_seed(5 * SEEDS, wild, NULL);
}
END_TEST

START_TEST(what_is_under_a_limit_fails_whole_without_memory)
{
    struct coact_runtime *runtime = start_limited(false);
    peer_ref ref;
    int rc = -ENOMEM;
    for (unsigned long n = 1; rc != 0; n++) {
        coact__fail_nth(n, false);
        rc = coact_spawn_with(peer, &ref, idle_body, NULL, .label = "few",
                              .role = coact_role_named("few"));
        coact__fail_nth(0, false);
        ck_assert(rc == 0 || rc == -ENOMEM);
        ck_assert_uint_eq(limit_of_few(runtime).inside, rc == 0);
    }
    rc = -ENOMEM;
    for (unsigned long n = 1; rc != 0; n++) {
        const struct coact_limit_options options = {.most = 1};
        coact__fail_nth(n, false);
        rc = coact_limit_new(&options, &limit);
        coact__fail_nth(0, false);
    }
    close_limit();
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("limit_sim",
           s53_sleepers_in_a_role_with_an_elastic_limit_do_not_stop_others,
           s53_in_a_role_with_a_rigid_limit_they_do,
           who_waits_for_a_message_is_not_in_the_middle_of_work,
           a_change_of_role_is_a_change_of_limits,
           s53_slots_are_given_in_the_order_of_coming,
           who_comes_to_a_full_queue_is_refused,
           a_full_queue_that_sheds_refuses_who_has_waited_longest,
           who_waits_for_a_slot_waits_until_its_deadline,
           one_limit_at_a_time_can_be_entered,
           s53_no_slot_is_lost_whatever_becomes_of_who_had_it,
           what_is_under_a_limit_fails_whole_without_memory)
