/*
 * idle_test.c - who waits costs nothing.
 *
 * A thread that makes a system call, or runs at all, is switched to and away
 * from; the kernel counts that for each thread.  So a runtime at rest is one
 * whose threads' counts stand still.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include <coact/blocking.h>

#include <dirent.h>
#include <unistd.h>

#define REST_US 300000

static _Atomic int woken;

/* ThreadSanitizer has a thread of its own, which we cannot tell from ours. */
#ifdef __SANITIZE_THREAD__
#define IS_WATCHED true
#define MANY 2000
#else
#define IS_WATCHED false
#define MANY 10000
#endif

/* The switches of all threads but the calling one. */
static uint64_t
switches_of_others(void)
{
    uint64_t total = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id == 0 || id == (long)gettid()) {
            continue;
        }
        char path[64];
        char line[128];
        snprintf(path, sizeof(path), "/proc/self/task/%ld/status", id);
        FILE *status = fopen(path, "re");
        ck_assert_ptr_nonnull(status);
        while (fgets(line, sizeof(line), status) != NULL) {
            const char *found = strstr(line, "voluntary_ctxt_switches:");
            if (found != NULL) {
                total += strtoull(strchr(found, ':') + 1, NULL, 10);
            }
        }
        fclose(status);
    }
    closedir(tasks);
    return total;
}

/* Parked workers look about for some milliseconds, and threads that are not needed
   any more end after a second; then they rest.  Every actor has run by then. */
static void
await_rest(struct coact_runtime *runtime)
{
    int64_t deadline = IN_TIME;
    uint64_t parks = 0;
    for (int quiet = 0; quiet < 4;) {
        struct coact_runtime_stats stats;
        usleep(50000);
        coact_stats(runtime, &stats);
        bool is_quiet = stats.workers_active == 0 && stats.parks == parks &&
                        stats.threads <= stats.workers + 1 &&
                        stats.dispatches >= stats.actors_spawned;
        quiet = is_quiet ? quiet + 1 : 0;
        parks = stats.parks;
        ck_assert_msg(coact_now_ns() < deadline, "the workers do not park");
    }
}

static void
rests(struct coact_runtime *runtime)
{
    await_rest(runtime);
    struct coact_runtime_stats before, after;
    coact_stats(runtime, &before);
    uint64_t switches = switches_of_others();
    // Two marks for who traces our system calls (scripts/idle_test).
    (void)getppid();
    usleep(REST_US);
    (void)getppid();
    uint64_t since = switches_of_others() - switches;
    coact_stats(runtime, &after);
    ck_assert_uint_eq(after.dispatches, before.dispatches);
    ck_assert_uint_eq(after.parks, before.parks);
    ck_assert_msg(since == 0 || IS_WATCHED, "%u switches in a runtime at rest",
                  (unsigned)since);
    stop_runtime(runtime);
}

static void
rests_with(uint32_t workers, uint32_t actors)
{
    struct coact_runtime *runtime = start_runtime(workers);
    for (uint32_t i = 0; i < actors; i++) {
        spawn_peer(i % 2 == 0 ? idle_body : sleep_until_killed, NULL);
    }
    rests(runtime);
}

START_TEST(s54_a_parked_runtime_does_not_run_at_all)
{
    rests_with(1, 0);
    rests_with(4, 3);
}
END_TEST

START_TEST(s54_ten_thousand_sleeping_actors_do_not_run_at_all)
{
    rests_with(2, MANY);
}
END_TEST

static void
nap(void *arg)
{
    (void)arg;
    usleep(1000);
}

static void
naps(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(coact_blocking(nap, NULL, 0, NULL, IN_TIME), 0);
}

START_TEST(s54_a_runtime_rests_again_after_calls_that_block)
{
    struct coact_runtime *runtime = start_runtime(2);
    for (int i = 0; i < 5; i++) {
        spawn_peer(naps, NULL);
    }
    struct coact_runtime_stats stats;
    int64_t deadline_ns = IN_TIME;
    do {
        usleep(10000);
        coact_stats(runtime, &stats);
        ck_assert_msg(coact_now_ns() < deadline_ns, "threads stay");
    } while (stats.blocking_done < 5 || stats.blocking_threads > 0);
    rests(runtime);
}
END_TEST

START_TEST(s54_a_runtime_rests_when_its_actors_are_hibernated)
{
    struct coact_runtime_options options = {
        .workers = 2, .log = log_nothing, .hibernate_after_ns = COACT_MS(20)};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        peer_ref ref;
        ck_assert_int_eq(
            coact_spawn_with(peer, &ref, idle_body, NULL,
                             .hibernate = i % 2 == 0 ? COACT_HIBERNATE_LATER
                                                     : COACT_HIBERNATE_AT_ONCE),
            0);
    }
    struct coact_runtime_stats stats;
    int64_t deadline_ns = IN_TIME;
    do {
        usleep(10000);
        coact_stats(runtime, &stats);
        ck_assert_msg(coact_now_ns() < deadline_ns, "some stay awake");
    } while (stats.actors_hibernated < MANY);
    rests(runtime);
}
END_TEST

START_TEST(s54_a_runtime_rests_beside_pinned_actors)
{
    struct coact_runtime *runtime = start_runtime(2);
    for (int i = 0; i < 10; i++) {
        peer_ref ref;
        ck_assert_int_eq(
            coact_spawn_with(peer, &ref,
                             i % 2 == 0 ? idle_body : sleep_until_killed, NULL,
                             .pinned = true),
            0);
    }
    rests(runtime);
}
END_TEST

/* Deadlines that lie ten microseconds apart: to sleep for each of them would be
   some five hundred sleeps. */
enum { CROWD = 2000, APART_NS = 10000, BEGINS_MS = 100, SLEEPS_MOST = 180 };

static void
sleep_until(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_sleep(*(int64_t *)arg), 0);
    atomic_fetch_add_explicit(&woken, 1, memory_order_relaxed);
}

START_TEST(a_crowd_of_sleepers_wakes_a_worker_together)
{
    static int64_t deadlines[CROWD];
    struct coact_runtime *runtime = start_runtime(1);
    int64_t begins = coact_in_ms(BEGINS_MS);
    for (int i = 0; i < CROWD; i++) {
        deadlines[i] = begins + (int64_t)i * APART_NS;
        spawn_peer(sleep_until, &deadlines[i]);
    }
    struct coact_runtime_stats before, after;
    coact_stats(runtime, &before);
    AWAIT(atomic_load_explicit(&woken, memory_order_relaxed) == CROWD);
    coact_stats(runtime, &after);
    ck_assert_uint_lt(after.parks - before.parks, SLEEPS_MOST);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("idle", a_crowd_of_sleepers_wakes_a_worker_together,
           s54_a_parked_runtime_does_not_run_at_all,
           s54_ten_thousand_sleeping_actors_do_not_run_at_all,
           s54_a_runtime_rests_again_after_calls_that_block,
           s54_a_runtime_rests_when_its_actors_are_hibernated,
           s54_a_runtime_rests_beside_pinned_actors)
