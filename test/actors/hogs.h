/*
 * hogs.h - what tests of actors that do not come back have in common: the word
 * that ends them, the reports that are seen, and lives that go on meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_HOGS_H
#define COACT_TEST_HOGS_H

#include "test/actors/peers.h"

#include <coact/supervisor.h>

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEN_MOST 100

/* ---- Their end ----------------------------------------------------------- */

static atomic_bool hogs_are_over;

__attribute__((unused)) static bool
is_over(void)
{
    return atomic_load_explicit(&hogs_are_over, memory_order_relaxed);
}

__attribute__((unused)) static void
end_hogs(void)
{
    atomic_store_explicit(&hogs_are_over, true, memory_order_relaxed);
}

__attribute__((unused)) static void
send_item_once(const peer_ref *to)
{
    ck_assert_int_eq(coact_send(*to, item, .number = 1), 0);
}

/* ---- Reports ------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    uint32_t count, ends;
    struct seen {
        coact_ref actor, sender;
        char label[32], role[32];
        char backtrace[4096];
        const char *call, *message;
    } of[SEEN_MOST];
} reports = {.lock = PTHREAD_MUTEX_INITIALIZER};

__attribute__((unused)) static void
see_report(void *context, const struct coact_stuck *report)
{
    (void)context;
    pthread_mutex_lock(&reports.lock);
    if (report->is_over) {
        reports.ends++;
    } else if (reports.count < SEEN_MOST) {
        struct seen *seen = &reports.of[reports.count];
        *seen = (struct seen){.actor = report->actor,
                              .sender = report->sender,
                              .call = report->call,
                              .message = report->message};
        snprintf(seen->label, sizeof(seen->label), "%s", report->label);
        snprintf(seen->role, sizeof(seen->role), "%s", report->role);
        for (size_t i = 0; i < report->frames; i++) {
            strncat(seen->backtrace, report->backtrace[i],
                    sizeof(seen->backtrace) - 2 - strlen(seen->backtrace));
            strcat(seen->backtrace, "\n");
        }
        reports.count++;
    }
    pthread_mutex_unlock(&reports.lock);
}

__attribute__((unused)) static uint32_t
count_reports(void)
{
    pthread_mutex_lock(&reports.lock);
    uint32_t count = reports.count;
    pthread_mutex_unlock(&reports.lock);
    return count;
}

__attribute__((unused)) static uint32_t
count_ends(void)
{
    pthread_mutex_lock(&reports.lock);
    uint32_t count = reports.ends;
    pthread_mutex_unlock(&reports.lock);
    return count;
}

/* It stays as it is. */
__attribute__((unused)) static const struct seen *
report_named(const char *label)
{
    const struct seen *found = NULL;
    pthread_mutex_lock(&reports.lock);
    for (uint32_t i = 0; i < reports.count && found == NULL; i++) {
        if (strcmp(reports.of[i].label, label) == 0) {
            found = &reports.of[i];
        }
    }
    pthread_mutex_unlock(&reports.lock);
    return found;
}

/* ---- Running ------------------------------------------------------------- */

__attribute__((unused)) static void
await_reports(uint32_t count)
{
    AWAIT(count_reports() >= count);
}

__attribute__((unused)) static struct coact_runtime *
start_hog_runtime(uint32_t workers)
{
    atomic_store_explicit(&hogs_are_over, false, memory_order_relaxed);
    const struct coact_runtime_options options = {.workers = workers,
                                                  .log = log_nothing,
                                                  .stuck = see_report,
                                                  .backtrace_signal =
                                                      SIGRTMIN + 3};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

__attribute__((unused)) static struct coact_runtime_stats
stats_of(struct coact_runtime *runtime)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    return stats;
}

/* Those for the cores, and the lookout; nobody stands in. */
__attribute__((unused)) static void
await_threads_at_rest(struct coact_runtime *runtime)
{
    AWAIT(stats_of(runtime).stand_ins == 0);
    AWAIT(stats_of(runtime).threads <= stats_of(runtime).workers + 1);
}

/* ---- Lives that go on ---------------------------------------------------- */

struct life {
    int64_t ms;
    _Atomic uint32_t rounds;
    int64_t latest_ns; /* of its sleeps: how much too long */
};

__attribute__((unused)) static void
note_late(struct life *life, int64_t late_ns)
{
    life->latest_ns = late_ns > life->latest_ns ? late_ns : life->latest_ns;
}

static void live_a_little(peer_self self, void *arg);

__attribute__((unused)) static void
live(struct life *life)
{
    (void)join_peer(spawn_peer(live_a_little, life));
}

__attribute__((unused)) static void
crash_twice(peer_self self, void *arg)
{
    (void)self;
    _Atomic uint32_t *starts = arg;
    if (atomic_fetch_add_explicit(starts, 1, memory_order_relaxed) < 2) {
        coact_fail(-EIO, "on purpose");
    }
    coact_sleep(COACT_FOREVER);
}

__attribute__((unused)) static void
supervise_one_that_crashes(void)
{
    static _Atomic uint32_t starts;
    atomic_store_explicit(&starts, 0, memory_order_relaxed);
    const struct coact_child children[] = {
        COACT_CHILD(peer, "crashes", crash_twice, &starts)};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = 1};
    coact_supervisor_ref supervisor;
    ck_assert_int_eq(coact_supervise(&spec, IN_TIME, &supervisor, NULL), 0);
    AWAIT(atomic_load_explicit(&starts, memory_order_relaxed) >= 3);
    ck_assert_int_eq(coact_supervisor_stop(supervisor, IN_TIME, NULL), 0);
}

/* ---- Load from outside --------------------------------------------------- */

__attribute__((unused)) static int64_t
thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

__attribute__((unused)) static pid_t
start_outside_load(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile uint64_t i = 0;; i++) {
        }
    }
    return pid;
}

__attribute__((unused)) static void
end_outside_load(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

#endif
