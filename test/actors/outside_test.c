/*
 * outside_test.c - actors that do not come back, looked at from a thread of the
 * host: what they do, and where.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/snapshot.h"
#include "runtime/threadstate.h"
#include "test/actors/peers.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = COACT__SNAPSHOT_FRAMES };

static _Atomic pid_t worker_tid; /* of the worker that runs the actor */
static atomic_bool is_over;

/* What the actors' worker does, by two readings. */
static enum coact__stuck
judge(struct coact__threadstate *after)
{
    struct coact__threadstate before;
    int64_t start_ns = coact_now_ns();
    ck_assert_int_eq(coact__threadstate_read(worker_tid, &before), 0);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    ck_assert_int_eq(coact__threadstate_read(worker_tid, after), 0);
    return coact__threadstate_judge(&before, after, coact_now_ns() - start_ns);
}

static void
await_judgement(enum coact__stuck wanted, struct coact__threadstate *after)
{
    int64_t deadline = IN_TIME;
    while (judge(after) != wanted) {
        ck_assert_msg(coact_now_ns() < deadline, "it is never judged so");
    }
}

static void
note_line(void *arg, const char *line)
{
    char *text = arg;
    strncat(text, line, 8191 - strlen(text));
    strncat(text, "\n", 8191 - strlen(text));
}

/* The walk passes the actor's functions and ends where its stack begins. */
static void
must_stand_in(const char *function)
{
    void *frames[FRAMES];
    char text[8192] = "";
    int count =
        coact__snapshot_take(worker_tid, frames, FRAMES, COACT_MS(8000));
    ck_assert_msg(count > 0, "take: %d", count);
    coact__snapshot_print(frames, count, note_line, text);
    const char *at = strstr(text, function);
    ck_assert_msg(at != NULL, "no %s in\n%s", function, text);
    ck_assert_msg(strstr(at, " coact__context_start+0x") != NULL, "%s", text);
    // The newline of the last line only.
    ck_assert_ptr_null(
        strchr(strchr(strstr(at, " coact__context_start+0x"), '\n') + 1, '\n'));
}

static void
await_worker(void)
{
    int64_t deadline = IN_TIME;
    while (atomic_load_explicit(&worker_tid, memory_order_acquire) == 0) {
        ck_assert_msg(coact_now_ns() < deadline, "the actor never ran");
        sched_yield();
    }
}

static void
say_worker(void)
{
    coact__snapshot_admit();
    atomic_store_explicit(&worker_tid, gettid(), memory_order_release);
}

static void
spinning_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    say_worker();
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    }
}

START_TEST(an_actor_that_never_yields_is_seen_to_compute_and_where)
{
    ck_assert_int_eq(coact__snapshot_install(SIGRTMIN + 3), 0);
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref hog = spawn_peer(spinning_body, NULL);
    await_worker();
    struct coact__threadstate state;
    await_judgement(COACT__STUCK_COMPUTES, &state);
    must_stand_in(" spinning_body+0x");
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    (void)join_peer(hog);
    stop_runtime(runtime);
}
END_TEST

static void
locking_body(peer_self self, void *arg)
{
    (void)self;
    say_worker();
    // A call that coact does not know.  It is restarted after each look.
    ck_assert_int_eq(flock(*(const int *)arg, LOCK_EX), 0);
    ck_assert_int_eq(flock(*(const int *)arg, LOCK_UN), 0);
}

START_TEST(an_actor_in_a_call_that_blocks_is_seen_in_that_call_and_where)
{
    char path[] = "/tmp/coact-outside-XXXXXX";
    int ours = mkstemp(path);
    int theirs = open(path, O_RDWR | O_CLOEXEC);
    ck_assert(ours >= 0 && theirs >= 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(flock(ours, LOCK_EX), 0);

    ck_assert_int_eq(coact__snapshot_install(SIGRTMIN + 3), 0);
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref blocked = spawn_peer(locking_body, &theirs);
    await_worker();
    for (int i = 0; i < 3; i++) {
        struct coact__threadstate state;
        await_judgement(COACT__STUCK_BLOCKED, &state);
        ck_assert_str_eq(coact__threadstate_call_name(state.call), "flock");
        must_stand_in(" locking_body+0x");
    }
    ck_assert_int_eq(flock(ours, LOCK_UN), 0);
    (void)join_peer(blocked);
    stop_runtime(runtime);
    close(ours);
    close(theirs);
}
END_TEST

SUITE_MAIN("outside", an_actor_that_never_yields_is_seen_to_compute_and_where,
           an_actor_in_a_call_that_blocks_is_seen_in_that_call_and_where)
