/*
 * runtimes_test.c - runtimes as a host sees them: several, stopped at any
 * moment, used by threads of its own and driven by its loop; and calls from
 * the wrong place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/death.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static uint32_t
entries_of(const char *path)
{
    uint32_t count = 0;
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static struct coact_runtime *
new_runtime(uint32_t workers, bool host_driven)
{
    struct coact_runtime_options options = {
        .workers = workers, .host_driven = host_driven, .log = log_nothing};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    return runtime;
}

static peer_ref
spawn_in(struct coact_runtime *runtime, void (*body)(peer_self, void *),
         void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(
        coact_spawn_with(peer, &ref, body, arg, .runtime = runtime), 0);
    return ref;
}

/* ---- Several, and again and again ---------------------------------------- */

START_TEST(two_runtimes_live_side_by_side)
{
    struct coact_runtime *a = new_runtime(2, false);
    struct coact_runtime *b = new_runtime(2, false);
    peer_ref in_a = spawn_in(a, oracle_body, NULL);
    peer_ref in_b = spawn_in(b, oracle_body, NULL);
    for (uint64_t i = 0; i < 500; i++) {
        struct answer out = {0};
        ck_assert_int_eq(coact_attach(a), 0);
        ck_assert_int_eq(coact_attach(b), -EBUSY);
        ck_assert_int_eq(coact_ask(in_a, question, &out, IN_TIME, .n = i), 0);
        ck_assert_uint_eq(out.n, i + 1);
        // An address of the other runtime is that of another node.
        ck_assert_int_eq(coact_ask(in_b, question, &out, IN_TIME, .n = i),
                         -ENOTCONN);
        coact_detach();
        ck_assert_int_eq(coact_attach(b), 0);
        ck_assert_int_eq(coact_ask(in_b, question, &out, IN_TIME, .n = i), 0);
        coact_detach();
    }
    ck_assert_int_eq(coact_stop(a, IN_TIME), 0);
    ck_assert_int_eq(coact_free(a), 0);
    ck_assert_int_eq(coact_attach(b), 0);
    struct answer out;
    ck_assert_int_eq(coact_ask(in_b, question, &out, IN_TIME, .n = 1), 0);
    stop_runtime(b);
}
END_TEST

START_TEST(two_hundred_runtimes_leave_no_descriptor_and_no_thread)
{
    uint32_t fds = 0, threads = 0;
    for (int i = 0; i < 201; i++) {
        struct coact_runtime *runtime = new_runtime(1 + (uint32_t)i % 3, false);
        for (int n = 0; n < i % 5; n++) {
            spawn_in(runtime, n % 2 == 0 ? idle_body : sleep_until_killed,
                     NULL);
        }
        ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
        ck_assert_int_eq(coact_free(runtime), 0);
        if (i == 0) {
            fds = entries_of("/proc/self/fd");
            threads = entries_of("/proc/self/task");
        }
    }
    ck_assert_uint_eq(entries_of("/proc/self/fd"), fds);
    ck_assert_uint_eq(entries_of("/proc/self/task"), threads);
}
END_TEST

START_TEST(a_runtime_is_busy_until_it_has_stopped)
{
    struct coact_runtime *runtime = new_runtime(1, false);
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    spawn_in(runtime, idle_body, NULL);
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    ck_assert(!coact_is_stopping(runtime));
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    ck_assert(coact_is_stopping(runtime));
    peer_ref late;
    ck_assert_int_eq(
        coact_spawn_with(peer, &late, idle_body, NULL, .runtime = runtime),
        -ESHUTDOWN);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

static struct gate {
    _Atomic bool is_open, is_held;
} gate;
static void
never_waits(peer_self self, void *arg)
{
    (void)self, (void)arg;
    gate.is_held = true;
    while (!gate.is_open) {
    }
}
static void
see_blame(void *context, enum coact_log_level level, const char *text)
{
    (void)level;
    struct log_seen *seen = context;
    if (strstr(text, "stubborn") != NULL && strstr(text, "stop") != NULL) {
        seen->lines++;
    }
}
START_TEST(a_stop_that_cannot_end_an_actor_names_it_and_keeps_the_runtime)
{
    static struct log_seen seen;
    struct coact_runtime_options options = {
        .workers = 1, .log = see_blame, .log_context = &seen};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    peer_ref p;
    ck_assert_int_eq(coact_spawn_with(peer, &p, never_waits, NULL,
                                      .runtime = runtime, .label = "stubborn"),
                     0);
    while (!gate.is_held) {
    }
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(20)), -ETIMEDOUT);
    ck_assert_uint_ge(seen.lines, 1);
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    gate.is_open = true;
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

/* ---- Stopped under load -------------------------------------------------- */

static void
breeds(peer_self self, void *arg)
{
    uintptr_t depth = (uintptr_t)arg;
    peer_ref others[3];
    uint32_t count = 0;
    for (int i = 0; i < 200; i++) {
        if (depth < 3 && count < 3) {
            coact_monitor_id monitor;
            if (coact_spawn_with(peer, &others[count], breeds,
                                 (void *)(depth + 1), .link = i % 2 == 0,
                                 .monitor = &monitor) == 0) {
                count++;
            }
        }
        coact_timer_id timer;
        (void)!coact_timer_start(&timer, coact_in_ns(i * 1000), 0, NULL);
        struct answer a;
        for (uint32_t n = 0; n < count; n++) {
            coact_send(others[n], item, .number = 1);
            if (i % 16 == 0 &&
                coact_ask(others[n], question, &a, coact_in_ns(100000),
                          .n = 1) == -ECANCELED) {
                return;
            }
        }
        bool is_over = false;
        COACT_RECEIVE(self, coact_in_ns(20000)) {
        case COACT_ON(question, m):
            coact_reply(m, .n = 0);
            break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
        if (is_over) {
            return;
        }
    }
}

struct caller {
    struct coact_runtime *runtime;
    peer_ref oracle;
    _Atomic bool is_over;
    _Atomic uint32_t false_answers;
};
/* A thread of the host that asks and spawns until the runtime refuses. */
static void *
caller_main(void *arg)
{
    struct caller *c = arg;
    if (coact_attach(c->runtime) < 0) {
        c->false_answers++;
        return NULL;
    }
    for (uint64_t i = 1;; i++) {
        struct answer a = {0};
        int rc = coact_ask(c->oracle, question, &a, IN_TIME, .n = i);
        if (rc == 0 && a.n != i + 1) {
            c->false_answers++;
        }
        peer_ref p;
        if (coact_spawn(peer, &p, i % 2 == 0 ? idle_body : sleep_until_killed,
                        NULL) == -ESHUTDOWN) {
            break;
        }
    }
    coact_detach();
    return NULL;
}

static void
stop_under_load(uint32_t times, uint32_t workers, int64_t deadline_ns)
{
    for (uint32_t i = 0; i < times; i++) {
        struct coact_runtime *runtime = new_runtime(workers, false);
        struct caller caller = {.runtime = runtime};
        caller.oracle = spawn_in(runtime, oracle_body, NULL);
        spawn_in(runtime, breeds, NULL);
        spawn_in(runtime, breeds, NULL);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, caller_main, &caller),
                         0);
        usleep(i * 37 % 2000);
        ck_assert_int_eq(coact_stop(runtime, deadline_ns == COACT_FOREVER
                                                 ? COACT_FOREVER
                                                 : coact_in_ns(deadline_ns)),
                         0);
        struct coact_runtime_stats stats;
        coact_stats(runtime, &stats);
        ck_assert_uint_eq(stats.actors_alive, 0);
        pthread_join(thread, NULL);
        coact_stats(runtime, &stats);
        ck_assert_uint_eq(stats.actors_alive, 0);
        ck_assert_uint_eq(stats.actors_spawned, stats.actors_ended);
        ck_assert_uint_eq(caller.false_answers, 0);
        ck_assert_int_eq(coact_free(runtime), 0);
    }
}
START_TEST(a_busy_runtime_stops_at_any_moment)
{
    stop_under_load(200, 2, COACT_MS(LIMIT_MS));
}
END_TEST
START_TEST(a_busy_runtime_stops_without_a_deadline_too)
{
    stop_under_load(200, 3, COACT_FOREVER);
}
END_TEST

/* ---- Threads of the host ------------------------------------------------- */

static void
slow_reader(peer_self self, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < 100; i++) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            COACT_CHECK(m->number == i);
            break;
        }
        coact_sleep(coact_in_ns(20000));
    }
}
START_TEST(a_thread_of_the_host_asks_joins_and_waits_for_room)
{
    struct coact_runtime *runtime = start_runtime(2);
    peer_ref reader;
    ck_assert_int_eq(coact_spawn_with(peer, &reader, slow_reader, NULL,
                                      .mailbox_messages = 2,
                                      .overflow = COACT_BLOCK),
                     0);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(coact_send_wait(reader, IN_TIME, item, .number = i),
                         0);
    }
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(reader.ref, IN_TIME, &reason), 0);
    ck_assert_msg(reason.code == COACT_NORMAL || reason.code == COACT_NOPROC,
                  "%s", reason.text);
    ck_assert_int_eq(coact_join(reader.ref, IN_TIME, &reason), 0);
    ck_assert_int_eq(reason.code, COACT_NOPROC);
    peer_ref deaf = spawn_peer(sleep_until_killed, NULL);
    struct answer a;
    ck_assert_int_eq(coact_ask(deaf, question, &a, coact_in_ms(2), .n = 1),
                     -ETIMEDOUT);
    ck_assert_int_eq(coact_join(deaf.ref, coact_in_ms(2), &reason), -ETIMEDOUT);
    stop_runtime(runtime);
}
END_TEST

/* ---- Driven by the host's loop ------------------------------------------- */

static void
ticks_ten_times(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(5)), 0);
    }
    (void)self;
}
START_TEST(a_loop_of_the_host_pumps_only_when_there_is_something_to_do)
{
    struct coact_runtime *runtime = new_runtime(0, true);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref p = spawn_peer(ticks_ten_times, NULL);
    uint32_t pumps = 0;
    while (coact_is_alive(p.ref)) {
        int64_t next = coact_next_deadline(runtime);
        int64_t now = coact_now_ns();
        int timeout = next == COACT_FOREVER ? 10000
                      : next <= now         ? 0
                                            : (int)((next - now) / 1000000) + 1;
        struct pollfd fd = {.fd = coact_fd(runtime), .events = POLLIN};
        ck_assert_int_ge(poll(&fd, 1, timeout), 0);
        ck_assert_int_ge(coact_pump(runtime, coact_in_ms(1)), 0);
        ck_assert_uint_lt(++pumps, 100);
    }
    ck_assert_uint_ge(pumps, 10);
    ck_assert_int_eq(coact_next_deadline(runtime), COACT_FOREVER);
    // Nothing to do: the descriptor says so.
    struct pollfd fd = {.fd = coact_fd(runtime), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    stop_runtime(runtime);
}
END_TEST

static void *
sends_one(void *arg)
{
    struct caller *c = arg;
    if (coact_attach(c->runtime) < 0 || coact_send(c->oracle, go, 0) < 0) {
        c->false_answers++;
    }
    coact_detach();
    return NULL;
}
START_TEST(a_send_of_another_thread_makes_the_descriptor_readable)
{
    struct coact_runtime *runtime = new_runtime(0, true);
    ck_assert_int_eq(coact_attach(runtime), 0);
    for (int i = 0; i < 200; i++) {
        peer_ref p = spawn_peer(until_go_body, NULL);
        while (coact_pump(runtime, COACT_NOW) > 0) {
        }
        struct caller caller = {.runtime = runtime, .oracle = p};
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, sends_one, &caller), 0);
        while (coact_is_alive(p.ref)) {
            struct pollfd fd = {.fd = coact_fd(runtime), .events = POLLIN};
            ck_assert_int_eq(poll(&fd, 1, LIMIT_MS), 1);
            coact_pump(runtime, COACT_FOREVER);
        }
        pthread_join(thread, NULL);
        ck_assert_uint_eq(caller.false_answers, 0);
    }
    stop_runtime(runtime);
}
END_TEST

static void *
asks_many(void *arg)
{
    struct caller *c = arg;
    if (coact_attach(c->runtime) < 0) {
        c->false_answers++;
        return NULL;
    }
    for (uint64_t i = 0; i < 300; i++) {
        struct answer a = {0};
        if (coact_ask(c->oracle, question, &a, IN_TIME, .n = i) < 0 ||
            a.n != i + 1) {
            c->false_answers++;
        }
    }
    c->is_over = true;
    coact_detach();
    return NULL;
}
START_TEST(another_thread_may_ask_while_the_host_pumps)
{
    struct coact_runtime *runtime = new_runtime(0, true);
    ck_assert_int_eq(coact_attach(runtime), 0);
    struct caller caller = {.runtime = runtime,
                            .oracle = spawn_peer(oracle_body, NULL)};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, asks_many, &caller), 0);
    while (!caller.is_over) {
        struct pollfd fd = {.fd = coact_fd(runtime), .events = POLLIN};
        poll(&fd, 1, 1);
        coact_pump(runtime, coact_in_ms(1));
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(caller.false_answers, 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Misuse -------------------------------------------------------------- */

START_TEST(calls_from_outside_of_an_actor_are_refused_and_counted)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref p = spawn_peer(idle_body, NULL);
    coact_monitor_id monitor;
    coact_timer_id timer;
    ck_assert_int_eq(coact_sleep(COACT_NOW), -EPERM);
    ck_assert_int_eq(coact_yield(), -EPERM);
    ck_assert_int_eq(coact_monitor(p.ref, &monitor), -EPERM);
    ck_assert_int_eq(coact_link(p.ref), -EPERM);
    ck_assert_int_eq(coact_unlink(p.ref), -EPERM);
    ck_assert_int_eq(coact_trap_exit(true), -EPERM);
    ck_assert_int_eq(coact_defer(free, NULL), -EPERM);
    ck_assert_int_eq(coact_undefer(), -EPERM);
    ck_assert_int_eq(coact_register("x"), -EPERM);
    ck_assert_int_eq(coact_timer_start(&timer, COACT_NOW, 0, NULL), -EPERM);
    ck_assert_ptr_null(coact_arena(1));
    ck_assert_int_eq(coact_spawn_with(peer, &p, idle_body, NULL, .link = true),
                     -EPERM);
    ck_assert_int_eq(coact_pump(runtime, COACT_NOW), -EPERM);
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.misuses, 13);
    ck_assert(coact_ref_is_none(coact_self()));
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_thread_that_is_not_attached_is_refused)
{
    struct coact_runtime *runtime = new_runtime(1, false);
    peer_ref p = spawn_in(runtime, idle_body, NULL);
    _Atomic uint32_t destroyed = 0;
    struct answer a;
    ck_assert_int_eq(coact_send(p, parcel, .destroyed = &destroyed), -EPERM);
    ck_assert_uint_eq(destroyed, 1);
    ck_assert_int_eq(coact_ask(p, question, &a, IN_TIME, .n = 1), -EPERM);
    ck_assert_int_eq(coact_kill(p.ref), -EPERM);
    ck_assert_int_eq(coact_join(p.ref, IN_TIME, NULL), -EPERM);
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

static void
misuse(void *arg)
{
    (void)arg;
    struct coact_runtime_options options = {.workers = 1,
                                            .abort_on_misuse = true};
    struct coact_runtime *runtime;
    if (coact_start(&options, &runtime) == 0 && coact_attach(runtime) == 0) {
        coact_sleep(COACT_NOW);
    }
}
START_TEST(abort_on_misuse_aborts)
{
    ck_assert_int_eq(death_of(misuse, NULL), SIGABRT);
}
END_TEST

static void
tell(void *ended)
{
    sem_post(ended);
}

static void
sleeps(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_defer(tell, arg), 0);
    ck_assert_int_eq(coact_sleep(COACT_FOREVER), -ECANCELED);
}

static void
stops_all(peer_self self, void *arg)
{
    (void)self;
    peer_ref sleeper;
    ck_assert_int_eq(coact_spawn(peer, &sleeper, sleeps, arg), 0);
    ck_assert_int_eq(coact_yield(), 0);
    ck_assert_int_eq(coact_stop(coact_runtime_here(), IN_TIME), -EPERM);
    coact_request_stop(coact_runtime_here());
    ck_assert(coact_is_stopping(coact_runtime_here()));
}

START_TEST(an_actor_cannot_stop_its_own_runtime_but_ask_for_it)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    const struct coact_runtime_options options = {.workers = 1};
    struct coact_runtime *runtime;
    sem_t ended;
    ck_assert_int_eq(sem_init(&ended, 0, 0), 0);
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref who;
    ck_assert_int_eq(coact_spawn(peer, &who, stops_all, &ended), 0);
    // Nobody calls coact_stop: the request alone ends the sleeper.
    struct timespec at;
    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &at), 0);
    at.tv_sec += 8;
    ck_assert_int_eq(sem_timedwait(&ended, &at), 0);
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    coact_detach();
    ck_assert_int_eq(coact_free(runtime), 0);
    sem_destroy(&ended);
}
END_TEST

SUITE_MAIN("runtimes", two_runtimes_live_side_by_side,
           two_hundred_runtimes_leave_no_descriptor_and_no_thread,
           a_runtime_is_busy_until_it_has_stopped,
           a_stop_that_cannot_end_an_actor_names_it_and_keeps_the_runtime,
           a_busy_runtime_stops_at_any_moment,
           a_busy_runtime_stops_without_a_deadline_too,
           a_thread_of_the_host_asks_joins_and_waits_for_room,
           a_loop_of_the_host_pumps_only_when_there_is_something_to_do,
           a_send_of_another_thread_makes_the_descriptor_readable,
           another_thread_may_ask_while_the_host_pumps,
           calls_from_outside_of_an_actor_are_refused_and_counted,
           a_thread_that_is_not_attached_is_refused, abort_on_misuse_aborts,
           an_actor_cannot_stop_its_own_runtime_but_ask_for_it)
