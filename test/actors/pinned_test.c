/*
 * pinned_test.c - actors that have a thread of their own.
 *
 * Whatever an ordinary actor does is tested elsewhere; here it is that a pinned
 * one does the same, always on its thread, and that nobody waits for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/pinned_world.h"

#include "actors/life.h"

#include <coact/account.h>
#include <coact/io.h>
#include <coact/limit.h>
#include <coact/mutex.h>
#include <coact/server.h>
#include <coact/supervisor.h>

#include <poll.h>

/* ---- One thread ---------------------------------------------------------- */

static void
no_op(void *arg)
{
    (void)arg;
}

static void
wait_in_all_ways(peer_self self, void *arg)
{
    struct walk *walk = arg;
    const peer_ref me = {coact_self()};
    walk->place = place_here();
    COACT_CHECK(coact_defer(clean_up, walk) == 0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    ck_is_here(walk->place);
    ck_assert_int_eq(coact_yield(), 0);
    ck_is_here(walk->place);
    ck_assert_int_eq(coact_checkpoint(), 0);
    ck_is_here(walk->place);
    struct answer answer;
    ck_assert_int_eq(
        coact_ask(walk->oracle, question, &answer, IN_TIME, .n = 7), 0);
    ck_assert_uint_eq(answer.n, 8);
    ck_is_here(walk->place);
    COACT_RECEIVE(self, coact_in_ms(1)) {
    case COACT_ON_TIMEOUT:
        ck_is_here(walk->place);
        break;
    }
    ck_assert_int_eq(coact_send_wait(me, IN_TIME, go, 0), 0);
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(go, m): {
        (void)m;
        ck_is_here(walk->place);
    } break;
    }
    ck_assert_int_eq(coact_blocking(no_op, NULL, 0, NULL, IN_TIME), 0);
    ck_is_here(walk->place);
    ck_assert_int_eq(coact_wait_fd(walk->fds[0], POLLIN, coact_in_ms(1)),
                     -ETIMEDOUT);
    ck_is_here(walk->place);
    ck_assert_int_eq(write(walk->fds[1], "x", 1), 1);
    ck_assert_int_eq(coact_wait_fd(walk->fds[0], POLLIN, IN_TIME), 0);
    ck_is_here(walk->place);
    peer_ref other = spawn_peer(until_go_body, NULL);
    ck_assert_int_eq(coact_send(other, go, 0), 0);
    ck_assert_int_eq(coact_join(other.ref, IN_TIME, NULL), 0);
    ck_is_here(walk->place);
}

START_TEST(a_pinned_actor_is_on_one_thread_whatever_it_waits_for)
{
    struct coact_runtime *runtime = start_runtime(2);
    struct walk walk = {.oracle = spawn_peer(oracle_body, NULL)};
    ck_assert_int_eq(pipe(walk.fds), 0);
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, wait_in_all_ways, &walk,
                                      .pinned = true, .destroy_arg = destroy),
                     0);
    ck_ends_well(ref);
    stop_runtime(runtime);
    ck_assert_uint_eq(walk.destroyed, 1);
    ck_assert_uint_eq(walk.cleaned, 1);
    close(walk.fds[0]);
    close(walk.fds[1]);
}
END_TEST

static void
note_place(peer_self self, void *arg)
{
    struct place *place = arg;
    *place = place_here();
    until_go_body(self, NULL);
}

#define SOME 20

START_TEST(many_pinned_actors_have_as_many_threads_and_no_worker_among_them)
{
    struct coact_runtime *runtime = start_runtime(2);
    peer_ref refs[2 * SOME];
    static struct place places[2 * SOME];
    for (uint32_t i = 0; i < 2 * SOME; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &refs[i], note_place,
                                          &places[i], .pinned = i < SOME),
                         0);
    }
    ck_assert_uint_eq(stats_now(runtime).actors_pinned, SOME);
    for (uint32_t i = 0; i < 2 * SOME; i++) {
        coact_send(refs[i], go, 0);
        ck_ends_well(refs[i]);
    }
    ck_assert_uint_eq(stats_now(runtime).actors_pinned, 0);
    stop_runtime(runtime);
    for (uint32_t i = 0; i < SOME; i++) {
        for (uint32_t k = 0; k < 2 * SOME; k++) {
            ck_assert(i == k || places[i].tid != places[k].tid);
        }
    }
}
END_TEST

/* ---- Servers ------------------------------------------------------------- */

static struct place served_at;

static int
serve_begin(void **state)
{
    (void)state;
    served_at = place_here();
    return 0;
}

static void
serve_one(peer_turn self, void *state)
{
    (void)state;
    COACT_HANDLE(self) {
    case COACT_ON(question, m): {
        ck_is_here(served_at);
        coact_sleep(coact_in_ms(1));
        ck_is_here(served_at);
        coact_reply(m, .n = m->n + 1);
    } break;
    case COACT_ON(go, m): {
        (void)m;
        coact_exit(COACT_NORMAL);
    } break;
    }
}

static void
asks_server(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref server;
    ck_assert_int_eq(coact_serve_with(peer, &server, serve_one, NULL,
                                      .pinned = true, .init = serve_begin),
                     0);
    for (uint64_t i = 0; i < 20; i++) {
        struct answer answer;
        ck_assert_int_eq(coact_ask(server, question, &answer, IN_TIME, .n = i),
                         0);
        ck_assert_uint_eq(answer.n, i + 1);
    }
    coact_send(server, go, 0);
    ck_ends_well(server);
}

START_TEST(a_pinned_server_is_called_on_one_thread_though_its_stack_goes)
{
    conduct(2, asks_server, NULL);
}
END_TEST

/* ---- Beside others ------------------------------------------------------- */

static atomic_bool is_over;
static _Atomic uint32_t spinning, reports;
static char reported[32];

static void
spin(peer_self self, void *arg)
{
    (void)self, (void)arg;
    atomic_fetch_add(&spinning, 1);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    }
}

static void
note_report(void *context, const struct coact_stuck *report)
{
    (void)context;
    if (!report->is_over) {
        snprintf(reported, sizeof(reported), "%s", report->label);
        atomic_fetch_add(&reports, 1);
    }
}

/* An ordinary one that blocks as well is reported: and it came last. */
START_TEST(
    pinned_actors_that_block_or_compute_delay_nobody_and_are_not_reported)
{
    struct coact_runtime *runtime =
        start_as((struct coact_runtime_options){.workers = 1,
                                                .hog_ns = COACT_MS(2),
                                                .hog_report_ns = COACT_MS(20),
                                                .stuck = note_report});
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    peer_ref blocks = spawn_pinned(block_at_gate, NULL);
    await_entered(1);
    peer_ref spins = spawn_pinned(spin, NULL);
    AWAIT(atomic_load(&spinning) == 1);
    struct answer answer;
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = i),
                         0);
    }
    peer_ref hog;
    ck_assert_int_eq(
        coact_spawn_with(peer, &hog, block_at_gate, NULL, .label = "ordinary"),
        0);
    await_entered(2);
    AWAIT(atomic_load(&reports) > 0);
    ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = 1), 0);
    set_gate(true);
    atomic_store(&is_over, true);
    join_peer(blocks);
    join_peer(spins);
    join_peer(hog);
    stop_runtime(runtime);
    ck_assert_uint_eq(atomic_load(&reports), 1);
    ck_assert_str_eq(reported, "ordinary");
}
END_TEST

/* A sender counts; who receives checks that the numbers of each only grow. */
struct stream {
    peer_ref to;
    uint32_t from, count;
};

static void
send_stream(peer_self self, void *arg)
{
    (void)self;
    struct stream *stream = arg;
    for (uint32_t i = 0; i < stream->count; i++) {
        ck_assert_int_eq(
            coact_send(stream->to, item, .from = stream->from, .number = i), 0);
        if (i % 16 == 0) {
            coact_yield();
        }
    }
}

#define SENDERS 4
#define STREAM 2000

static void
receive_streams(peer_self self, void *arg)
{
    (void)arg;
    uint32_t next[SENDERS] = {0};
    for (uint32_t i = 0; i < SENDERS * STREAM; i++) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m): {
            ck_assert_uint_eq(m->number, next[m->from]);
            next[m->from]++;
        } break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("only %u came", i);
        }
    }
}

START_TEST(messages_of_one_sender_keep_their_order_into_and_out_of_a_thread)
{
    struct coact_runtime *runtime = start_runtime(2);
    peer_ref sinks[2] = {spawn_pinned(receive_streams, NULL),
                         spawn_peer(receive_streams, NULL)};
    static struct stream streams[2 * SENDERS];
    peer_ref senders[2 * SENDERS];
    for (uint32_t i = 0; i < 2 * SENDERS; i++) {
        streams[i] = (struct stream){sinks[i / SENDERS], i % SENDERS, STREAM};
        ck_assert_int_eq(coact_spawn_with(peer, &senders[i], send_stream,
                                          &streams[i], .pinned = i % 2 == 0),
                         0);
    }
    ck_ends_well(sinks[0]);
    ck_ends_well(sinks[1]);
    stop_runtime(runtime);
}
END_TEST

/* Ask all, in a changing order; they ask too, so nobody waits for himself. */
struct town {
    peer_ref oracles[SOME];
    uint32_t first;
};

static void
ask_around(peer_self self, void *arg)
{
    (void)self;
    struct town *town = arg;
    for (uint32_t i = 0; i < 300; i++) {
        struct answer answer;
        ck_assert_int_eq(coact_ask(town->oracles[(town->first + i) % SOME],
                                   question, &answer, IN_TIME, .n = i),
                         0);
        ck_assert_uint_eq(answer.n, i + 1);
        if (i % 50 == 0) {
            ck_assert_int_eq(coact_sleep(coact_in_ns(COACT_US(50))), 0);
        }
    }
}

START_TEST(pinned_and_ordinary_actors_ask_each_other)
{
    struct coact_runtime *runtime = start_runtime(2);
    static struct town towns[SOME];
    peer_ref askers[SOME];
    for (uint32_t i = 0; i < SOME; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &towns[0].oracles[i],
                                          oracle_body, NULL,
                                          .pinned = i % 2 == 0),
                         0);
    }
    for (uint32_t i = 0; i < SOME; i++) {
        towns[i] = towns[0];
        towns[i].first = i;
        ck_assert_int_eq(coact_spawn_with(peer, &askers[i], ask_around,
                                          &towns[i], .pinned = i % 3 == 0),
                         0);
    }
    for (uint32_t i = 0; i < SOME; i++) {
        ck_ends_well(askers[i]);
    }
    stop_runtime(runtime);
}
END_TEST

/* ---- Time ---------------------------------------------------------------- */

static void
block_until(int64_t ns)
{
    while (coact_now_ns() < ns) {
        usleep(100);
    }
}

static void
ticks_after_blocking(peer_self self, void *arg)
{
    (void)arg;
    coact_timer_id timer;
    int64_t due = coact_in_ms(1);
    ck_assert_int_eq(coact_timer_start(&timer, due, COACT_MS(1), NULL), 0);
    block_until(due + COACT_MS(5));
    bool has_come = false;
    COACT_RECEIVE(self, COACT_NOW) {
    case COACT_ON_TICK(t): {
        ck_assert_uint_ge(t->missed, 3);
        has_come = true;
    } break;
    }
    ck_assert(has_come);
    // Nor do messages without an end keep the next one away.
    has_come = false;
    while (!has_come) {
        ck_assert_int_eq(coact_send((peer_ref){coact_self()}, go, 0), 0);
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(go, m):
            (void)m;
            break;
        case COACT_ON_TICK(t): {
            (void)t;
            has_come = true;
        } break;
        }
    }
    ck_assert_int_eq(coact_timer_cancel(timer), 0);
}

START_TEST(ticks_that_came_while_it_blocked_are_there_at_the_next_receive)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref ref = spawn_pinned(ticks_after_blocking, NULL);
    ck_ends_well(ref);
    stop_runtime(runtime);
}
END_TEST

/* ---- What else an actor may be ------------------------------------------- */

static pthread_mutex_t clients = PTHREAD_MUTEX_INITIALIZER;

static void
hold_over_waits(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(coact_mutex_lock(&clients), 0);
        ck_assert_int_eq(coact_sleep(coact_in_ns(COACT_US(100))), 0);
        ck_assert_int_eq(coact_yield(), 0);
        ck_assert_int_eq(coact_mutex_unlock(&clients), 0);
    }
}

START_TEST(pinned_actors_may_wait_with_a_mutex_held)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref refs[3];
    for (int i = 0; i < 3; i++) {
        refs[i] = spawn_pinned(hold_over_waits, NULL);
    }
    for (int i = 0; i < 3; i++) {
        ck_ends_well(refs[i]);
    }
    ck_assert_uint_eq(stats_now(runtime).misuses, 0);
    stop_runtime(runtime);
}
END_TEST

static struct coact_limit *limit;
static _Atomic uint32_t inside;

static void
work_by_ones(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(coact_limit_enter(limit, IN_TIME), 0);
        ck_assert_uint_eq(atomic_fetch_add(&inside, 1), 0);
        atomic_fetch_sub(&inside, 1);
        coact_limit_leave(limit);
    }
}

START_TEST(a_limit_holds_for_pinned_actors_too)
{
    ck_assert_int_eq(
        coact_limit_new(&(struct coact_limit_options){.most = 1}, &limit), 0);
    struct coact_runtime *runtime = start_runtime(2);
    peer_ref refs[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &refs[i], work_by_ones, NULL,
                                          .pinned = i % 2 == 0),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        ck_ends_well(refs[i]);
    }
    stop_runtime(runtime);
    coact_limit_free(limit);
}
END_TEST

/* Answers with the role that it runs in. */
static void
tell_role(peer_self self, void *arg)
{
    (void)arg;
    bool is_cancelled = false;
    while (!is_cancelled) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(question, m):
            coact_reply(m, .n = coact_role_here().id);
            break;
        case COACT_ON_CANCELLED:
            is_cancelled = true;
            break;
        }
    }
}

static void
ask_for_role(peer_self self, void *arg)
{
    (void)self;
    for (int i = 0; i < 20; i++) {
        struct answer answer;
        ck_assert_int_eq(
            coact_ask(*(peer_ref *)arg, question, &answer, IN_TIME, .n = 0), 0);
        ck_assert_uint_eq(answer.n, coact_role_here().id);
    }
}

START_TEST(roles_are_lent_into_and_out_of_a_thread)
{
    struct coact_runtime *runtime = start_runtime(2);
    coact_role batch = coact_role_in(runtime, "batch");
    coact_role interactive = coact_role_in(runtime, "interactive");
    for (int i = 0; i < 8; i++) {
        // One asker each, or the tightest of the roles is lent.
        peer_ref lender, asker;
        ck_assert_int_eq(coact_spawn_with(peer, &lender, tell_role, NULL,
                                          .sender_role = true,
                                          .pinned = i % 2 == 0),
                         0);
        ck_assert_int_eq(coact_spawn_with(peer, &asker, ask_for_role, &lender,
                                          .pinned = i / 2 % 2 == 0,
                                          .role = i < 4 ? batch : interactive),
                         0);
        ck_ends_well(asker);
    }
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_pinned_actor_does_not_hibernate_and_has_an_account)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, idle_body, NULL,
                                      .pinned = true, .account = true,
                                      .hibernate = COACT_HIBERNATE_AT_ONCE),
                     0);
    struct coact__actor *actor = coact__slot_of(runtime, ref.ref);
    ck_assert_uint_eq(atomic_load(&actor->task.hibernates),
                      COACT__HIBERNATES_NEVER);
    struct coact_account account;
    do {
        ck_assert_int_eq(coact_account_of(ref.ref, &account), 0);
    } while (account.receive_ns < COACT_MS(1));
    stop_runtime(runtime);
}
END_TEST

/* ---- Driven by a host ---------------------------------------------------- */

START_TEST(a_host_that_drives_a_runtime_has_threads_for_pinned_actors)
{
    struct coact_runtime *runtime =
        start_as((struct coact_runtime_options){.host_driven = true});
    struct walk walk = {.oracle = spawn_peer(oracle_body, NULL)};
    ck_assert_int_eq(pipe(walk.fds), 0);
    peer_ref ref = spawn_pinned(wait_in_all_ways, &walk);
    struct pollfd fd = {.fd = coact_fd(runtime), .events = POLLIN};
    while (coact_is_alive(ref.ref)) {
        coact_pump(runtime, coact_in_ms(1));
        int64_t next = coact_next_deadline(runtime) - coact_now_ns();
        int ms = next < 0              ? 0
                 : next < COACT_MS(20) ? (int)(next / 1000000) + 1
                                       : 20;
        (void)poll(&fd, 1, ms);
    }
    ck_assert_uint_eq(walk.cleaned, 1);
    ck_assert_int_ne(walk.place.tid, gettid());
    // Its end alone makes the host come back.
    peer_ref late = spawn_pinned(block_at_gate, NULL);
    await_entered(1);
    set_gate(true);
    join_peer(late);
    (void)spawn_pinned(sleep_until_killed, NULL);
    stop_runtime(runtime);
    ck_assert_uint_eq(pinned_threads_there(), 0);
    close(walk.fds[0]);
    close(walk.fds[1]);
}
END_TEST

SUITE_MAIN(
    "pinned", a_pinned_actor_is_on_one_thread_whatever_it_waits_for,
    many_pinned_actors_have_as_many_threads_and_no_worker_among_them,
    a_pinned_server_is_called_on_one_thread_though_its_stack_goes,
    pinned_actors_that_block_or_compute_delay_nobody_and_are_not_reported,
    messages_of_one_sender_keep_their_order_into_and_out_of_a_thread,
    pinned_and_ordinary_actors_ask_each_other,
    ticks_that_came_while_it_blocked_are_there_at_the_next_receive,

    pinned_actors_may_wait_with_a_mutex_held,
    a_limit_holds_for_pinned_actors_too,
    roles_are_lent_into_and_out_of_a_thread,
    a_pinned_actor_does_not_hibernate_and_has_an_account,
    a_host_that_drives_a_runtime_has_threads_for_pinned_actors)
