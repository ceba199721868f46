/*
 * blocking_test.c - calls that block hold up their actor and nobody else, and
 * leave nothing behind, however the wait for them ends.
 *
 * The jobs here wait at a gate until a test opens it, so what happens meanwhile
 * is certain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include "runtime/memory.h"

#include <coact/blocking.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define MANY 20

/* ---- The gate ------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_open;
    uint32_t inside, inside_most, entered;
    uint32_t order[MANY]; /* who came in as which */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static void
wait_at_gate(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_MS / 1000;
    ck_assert_int_eq(pthread_cond_timedwait(&gate.changed, &gate.lock, &until),
                     0);
}

static void
enter(uint32_t number)
{
    pthread_mutex_lock(&gate.lock);
    if (gate.entered < MANY) {
        gate.order[gate.entered] = number;
    }
    gate.entered++;
    gate.inside++;
    gate.inside_most =
        gate.inside > gate.inside_most ? gate.inside : gate.inside_most;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.is_open) {
        wait_at_gate();
    }
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

static void
set_gate(bool is_open)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_open = is_open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

/* By the test's own thread. */
static void
await_entered(uint32_t count)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.entered < count) {
        wait_at_gate();
    }
    pthread_mutex_unlock(&gate.lock);
}

/* ---- A call -------------------------------------------------------------- */

/* What the job works on: a copy. */
struct work {
    uint32_t number, result;
    _Atomic uint32_t *destroyed;
};

static void
destroy_work(void *arg)
{
    struct work *work = arg;
    atomic_fetch_add_explicit(work->destroyed, 1, memory_order_acq_rel);
}

static void
do_work(void *arg)
{
    struct work *work = arg;
    enter(work->number);
    work->result = work->number + 1;
}

/* An actor that makes one. */
struct caller {
    struct work work;
    int64_t within_ns; /* 0: for ever */
    _Atomic uint32_t destroyed;
    _Atomic int first_rc;
    _Atomic bool went_on, cleaned;
    peer_ref ref;
};

static int
call(struct caller *caller)
{
    caller->work.destroyed = &caller->destroyed;
    return coact_blocking(
        do_work, &caller->work, sizeof(caller->work), destroy_work,
        caller->within_ns == 0 ? COACT_FOREVER
                               : coact_in_ns(caller->within_ns));
}

static void
clean_caller(void *arg)
{
    struct caller *caller = arg;
    caller->cleaned = true;
}

static void
caller_body(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    ck_assert_int_eq(coact_defer(clean_caller, caller), 0);
    caller->first_rc = call(caller);
    if (caller->first_rc == -ECANCELED) {
        (void)!call(caller); // does not return
        caller->went_on = true;
    }
}

static void
start_caller(struct caller *caller, uint32_t number)
{
    caller->work.number = number;
    caller->first_rc = 1;
    ck_assert_int_eq(coact_spawn(peer, &caller->ref, caller_body, caller), 0);
}

/* ---- Waiting for what the counters say ----------------------------------- */

static struct coact_runtime_stats
stats_of(struct coact_runtime *runtime)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    return stats;
}

#define AWAIT(condition)                                                       \
    do {                                                                       \
        int64_t deadline_ns = IN_TIME;                                         \
        while (!(condition)) {                                                 \
            ck_assert_msg(coact_now_ns() < deadline_ns, "never: " #condition); \
            usleep(1000);                                                      \
        }                                                                      \
    } while (0)

static struct coact_runtime *
start_with(uint32_t blocking_threads)
{
    // One worker: an actor that blocked it would stop all others.
    const struct coact_runtime_options options = {
        .workers = 1, .log = log_nothing, .blocking_threads = blocking_threads};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

/* ---- The call ------------------------------------------------------------ */

static void
opens_the_gate(peer_self self, void *arg)
{
    (void)self, (void)arg;
    set_gate(true);
}

START_TEST(a_call_that_blocks_lets_others_on_the_same_worker_run)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 41);
    await_entered(1);
    spawn_peer(opens_the_gate, NULL);
    join_peer(caller.ref);
    ck_assert_int_eq(caller.first_rc, 0);
    ck_assert_uint_eq(caller.work.result, 42);
    ck_assert_uint_eq(caller.destroyed, 0);
    ck_assert_uint_eq(stats_of(runtime).blocking_done, 1);
    ck_assert_uint_eq(stats_of(runtime).blocking_abandoned, 0);
    stop_runtime(runtime);
}
END_TEST

struct place {
    struct coact_runtime *to_attach;
    char name[16];
    coact_ref self;
    void *runtime;
    int slept, attached;
    bool takes_term, takes_fault;
};

static void
look_around(void *arg)
{
    struct place *place = arg;
    sigset_t blocked;
    pthread_getname_np(pthread_self(), place->name, sizeof(place->name));
    place->self = coact_self();
    place->runtime = coact_runtime_here();
    place->slept = coact_sleep(COACT_FOREVER);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    place->takes_term = !sigismember(&blocked, SIGTERM);
    place->takes_fault = !sigismember(&blocked, SIGSEGV);
    place->attached = coact_attach(place->to_attach); // and forgets it
}

static void
looks_around(peer_self self, void *arg)
{
    (void)self;
    for (int i = 0; i < 3; i++) {
        *(struct place *)arg = (struct place){.to_attach = coact_runtime_here(),
                                              .takes_term = true};
        ck_assert_int_eq(coact_blocking(look_around, arg, sizeof(struct place),
                                        NULL, IN_TIME),
                         0);
    }
}

START_TEST(the_thread_of_a_call_is_no_actor_and_takes_no_signals)
{
    struct coact_runtime *runtime = start_with(0);
    struct place place = {.name = ""};
    join_peer(spawn_peer(looks_around, &place));
    ck_assert_str_eq(place.name, "coact-b0");
    ck_assert(coact_ref_is_none(place.self));
    ck_assert_ptr_null(place.runtime);
    ck_assert_int_eq(place.slept, -EPERM);
    ck_assert_int_eq(place.attached, 0);
    ck_assert(!place.takes_term);
    ck_assert(place.takes_fault);
    stop_runtime(runtime);
}
END_TEST

static void
note_call(void *arg)
{
    ck_assert_ptr_null(arg);
    set_gate(true);
}

static void
calls_in_every_way(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct work work = {0};
    _Atomic uint32_t destroyed = 0;
    work.destroyed = &destroyed;
    ck_assert_int_eq(coact_blocking(note_call, NULL, 0, NULL, IN_TIME), 0);
    ck_assert(gate.is_open);
    ck_assert_int_eq(
        coact_blocking(NULL, &work, sizeof(work), destroy_work, IN_TIME),
        -EINVAL);
    ck_assert_uint_eq(destroyed, 1);
    ck_assert_int_eq(coact_blocking(do_work, &work, 0, destroy_work, IN_TIME),
                     -EINVAL);
    ck_assert_uint_eq(destroyed, 2);
    ck_assert_int_eq(coact_blocking(do_work, NULL, sizeof(work), NULL, IN_TIME),
                     -EINVAL);
    ck_assert_int_eq(
        coact_blocking(do_work, &work, SIZE_MAX, destroy_work, IN_TIME),
        -ENOMEM);
    ck_assert_uint_eq(destroyed, 3);
    ck_assert_int_eq(
        coact_blocking(do_work, &work, sizeof(work), destroy_work, COACT_NOW),
        -ETIMEDOUT);
    ck_assert_uint_eq(destroyed, 4);
    ck_assert_uint_eq(gate.entered, 0);
}

START_TEST(a_call_that_is_refused_destroys_its_argument_and_is_not_made)
{
    struct coact_runtime *runtime = start_with(0);
    _Atomic uint32_t destroyed = 0;
    struct work work = {.destroyed = &destroyed};
    ck_assert_int_eq(
        coact_blocking(do_work, &work, sizeof(work), destroy_work, IN_TIME),
        -EPERM);
    ck_assert_uint_eq(destroyed, 1);
    join_peer(spawn_peer(calls_in_every_way, NULL));
    ck_assert_uint_eq(stats_of(runtime).misuses, 4);
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Leaving it ---------------------------------------------------------- */

struct sought {
    coact_ref ref;
    bool is_blocking;
};

static bool
see_state(void *context, const struct coact_actor_info *info)
{
    struct sought *sought = context;
    if (coact_ref_equal(info->ref, sought->ref)) {
        sought->is_blocking = strcmp(info->state, "blocking") == 0;
    }
    return true;
}

static bool
is_blocking(struct coact_runtime *runtime, coact_ref ref)
{
    struct sought sought = {.ref = ref};
    coact_each_actor(runtime, see_state, &sought);
    return sought.is_blocking;
}

START_TEST(s13_a_kill_ends_a_blocking_call_with_canceled_once)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    await_entered(1);
    AWAIT(is_blocking(runtime, caller.ref.ref));
    ck_assert_int_eq(coact_kill(caller.ref.ref), 0);
    join_peer(caller.ref);
    // The actor is gone; its call is not.
    ck_assert_int_eq(caller.first_rc, -ECANCELED);
    ck_assert(!caller.went_on);
    ck_assert(caller.cleaned);
    ck_assert_uint_eq(stats_of(runtime).blocking_busy, 1);
    ck_assert_uint_eq(stats_of(runtime).blocking_abandoned, 1);
    // The argument of the second call, which did not return.
    ck_assert_uint_eq(caller.destroyed, 1);
    set_gate(true);
    AWAIT(stats_of(runtime).blocking_busy == 0);
    ck_assert_uint_eq(caller.destroyed, 2);
    ck_assert_uint_eq(caller.work.result, 0);
    ck_assert_uint_eq(gate.entered, 1);
    stop_runtime(runtime);
}
END_TEST

START_TEST(s13_a_kill_takes_a_call_that_waits_for_a_thread_out_of_the_queue)
{
    struct coact_runtime *runtime = start_with(1);
    struct caller callers[4] = {{.first_rc = 0}};
    for (uint32_t i = 0; i < 4; i++) {
        start_caller(&callers[i], i);
        await_entered(1);
        AWAIT(stats_of(runtime).blocking_queued == i);
    }
    // In the middle, last, and alone.
    for (uint32_t i = 0; i < 3; i++) {
        static const uint32_t which[] = {2, 3, 1};
        struct caller *caller = &callers[which[i]];
        ck_assert_int_eq(coact_kill(caller->ref.ref), 0);
        join_peer(caller->ref);
        ck_assert_int_eq(caller->first_rc, -ECANCELED);
        ck_assert_uint_eq(caller->destroyed, 2);
        ck_assert_uint_eq(stats_of(runtime).blocking_queued, 2 - i);
    }
    set_gate(true);
    join_peer(callers[0].ref);
    ck_assert_int_eq(callers[0].first_rc, 0);
    ck_assert_uint_eq(gate.entered, 1);
    stop_runtime(runtime);
}
END_TEST

/* A result and a kill at the same time: whichever the call tells of, the kill is
   told once before a wait does not return. */
static void
do_no_work(void *arg)
{
    (void)arg;
}

static void
calls_and_is_killed(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    int rc = 0;
    while (rc == 0) {
        caller->went_on = true;
        rc = coact_blocking(do_no_work, NULL, 0, NULL, COACT_FOREVER);
    }
    caller->first_rc = rc;
}

static void
kills_callers(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int round = 0; round < 500; round++) {
        struct caller caller = {.first_rc = 1};
        caller.ref = spawn_peer(calls_and_is_killed, &caller);
        while (!caller.went_on) {
            coact_yield();
        }
        coact_kill(caller.ref.ref);
        join_peer(caller.ref);
        ck_assert_int_eq(caller.first_rc, -ECANCELED);
    }
}

START_TEST(s13_a_kill_beside_a_result_is_told_all_the_same)
{
    conduct(2, kills_callers, NULL);
}
END_TEST

START_TEST(a_call_past_its_deadline_is_left_and_its_result_destroyed_once)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {.within_ns = COACT_MS(20)};
    int64_t before = coact_now_ns();
    start_caller(&caller, 1);
    join_peer(caller.ref);
    ck_assert_int_ge(coact_now_ns() - before, COACT_MS(20));
    ck_assert_int_eq(caller.first_rc, -ETIMEDOUT);
    ck_assert_uint_eq(caller.destroyed, 0);
    set_gate(true);
    AWAIT(caller.destroyed == 1);
    AWAIT(stats_of(runtime).blocking_busy == 0);
    ck_assert_uint_eq(caller.destroyed, 1);
    ck_assert_uint_eq(caller.work.result, 0);
    ck_assert_uint_eq(stats_of(runtime).blocking_abandoned, 1);
    ck_assert_uint_eq(stats_of(runtime).blocking_done, 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Threads ------------------------------------------------------------- */

START_TEST(calls_beyond_the_threads_are_made_first_come_first_served)
{
    struct coact_runtime *runtime = start_with(1);
    struct caller callers[MANY] = {{.first_rc = 0}};
    for (uint32_t i = 0; i < MANY; i++) {
        start_caller(&callers[i], i);
        await_entered(1);
        AWAIT(stats_of(runtime).blocking_queued == i);
    }
    int64_t waited = stats_of(runtime).blocking_longest_wait_ns;
    ck_assert_int_gt(waited, 0);
    set_gate(true);
    for (uint32_t i = 0; i < MANY; i++) {
        join_peer(callers[i].ref);
        ck_assert_int_eq(callers[i].first_rc, 0);
        ck_assert_uint_eq(callers[i].work.result, i + 1);
        ck_assert_uint_eq(gate.order[i], i);
    }
    ck_assert_uint_eq(gate.inside_most, 1);
    ck_assert_int_ge(stats_of(runtime).blocking_longest_wait_ns, waited);
    ck_assert_uint_eq(stats_of(runtime).blocking_done, MANY);
    stop_runtime(runtime);
}
END_TEST

/* The threads of the pool, as the kernel knows them. */
static uint32_t
threads_there(void)
{
    uint32_t found = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        char path[300];
        char name[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *comm = fopen(path, "re");
        if (comm != NULL) { // it may have ended
            (void)!fgets(name, sizeof(name), comm);
            fclose(comm);
        }
        found += strncmp(name, "coact-b", 7) == 0;
    }
    closedir(tasks);
    return found;
}

START_TEST(there_are_never_more_threads_than_allowed_and_none_when_idle)
{
    struct coact_runtime *runtime = start_with(3);
    struct caller callers[MANY] = {{.first_rc = 0}};
    for (uint32_t i = 0; i < MANY; i++) {
        start_caller(&callers[i], i);
    }
    AWAIT(stats_of(runtime).blocking_queued == MANY - 3);
    await_entered(3);
    ck_assert_uint_eq(stats_of(runtime).blocking_threads, 3);
    ck_assert_uint_eq(stats_of(runtime).blocking_busy, 3);
    ck_assert_uint_eq(threads_there(), 3);
    set_gate(true);
    for (uint32_t i = 0; i < MANY; i++) {
        join_peer(callers[i].ref);
    }
    ck_assert_uint_eq(gate.inside_most, 3);
    AWAIT(stats_of(runtime).blocking_threads == 0);
    AWAIT(threads_there() == 0);
    // And they come back.
    struct caller again = {0};
    start_caller(&again, 1);
    join_peer(again.ref);
    ck_assert_int_eq(again.first_rc, 0);
    ck_assert_uint_eq(stats_of(runtime).blocking_threads, 1);
    stop_runtime(runtime);
    AWAIT(threads_there() == 0);
}
END_TEST

START_TEST(one_idle_thread_is_enough_for_calls_one_after_another)
{
    struct coact_runtime *runtime = start_with(0);
    set_gate(true);
    struct caller caller = {0};
    for (uint32_t i = 0; i < 100; i++) {
        start_caller(&caller, i);
        join_peer(caller.ref);
        ck_assert_int_eq(caller.first_rc, 0);
    }
    // A second one where the first was not yet back when the next call came.
    ck_assert_uint_le(stats_of(runtime).blocking_threads, 2);
    stop_runtime(runtime);
}
END_TEST

/* ---- Stopping ------------------------------------------------------------ */

START_TEST(a_runtime_with_a_call_that_has_not_returned_cannot_be_freed)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    await_entered(1);
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(50)), -ETIMEDOUT);
    ck_assert_int_eq(caller.first_rc, -ECANCELED);
    ck_assert_uint_eq(stats_of(runtime).actors_alive, 0);
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    ck_assert_uint_eq(stats_of(runtime).blocking_busy, 1);
    set_gate(true);
    stop_runtime(runtime); // again
    ck_assert_uint_eq(caller.destroyed, 2);
}
END_TEST

static void *
opens_later(void *arg)
{
    struct coact_runtime *runtime = arg;
    AWAIT(stats_of(runtime).actors_alive == 0);
    set_gate(true);
    return NULL;
}

START_TEST(a_stop_waits_for_calls_that_have_not_returned)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    await_entered(1);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, opens_later, runtime), 0);
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    ck_assert_uint_eq(caller.destroyed, 2);
    pthread_join(thread, NULL);
    coact_detach();
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

START_TEST(a_host_that_pumps_has_threads_for_calls_all_the_same)
{
    const struct coact_runtime_options options = {.host_driven = true,
                                                  .log = log_nothing};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    while (coact_pump(runtime, COACT_FOREVER) > 0) {
    }
    await_entered(1);
    set_gate(true);
    join_peer(caller.ref);
    ck_assert_int_eq(caller.first_rc, 0);
    ck_assert_uint_eq(caller.work.result, 2);
    stop_runtime(runtime);
}
END_TEST

/* ---- Failures ------------------------------------------------------------ */

static void
fails_at_each_point(peer_self self, void *arg)
{
    (void)self, (void)arg;
    int failures = 0;
    set_gate(true);
    for (unsigned long nth = 1;; nth++) {
        struct caller caller = {.within_ns = COACT_SECONDS(60)};
        coact__fail_nth(nth, false);
        int rc = call(&caller);
        unsigned long points = coact__fail_count();
        coact__fail_nth(0, false);
        if (rc == 0) {
            ck_assert_uint_eq(caller.destroyed, 0);
            if (points < nth) {
                break;
            }
            continue;
        }
        failures++;
        // The memory; the first thread.
        ck_assert(rc == -ENOMEM || rc == -EAGAIN);
        ck_assert_uint_eq(caller.destroyed, 1);
    }
    ck_assert_int_eq(failures, 2);
}

/* Not by a join: that takes memory, and would be the one to fail. */
static void
run_alone(struct coact_runtime *runtime, peer_coact_body *body, void *arg)
{
    spawn_peer(body, arg);
    AWAIT(stats_of(runtime).actors_alive == 0);
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 0);
}

START_TEST(a_call_fails_whole_or_not_at_all)
{
    struct coact_runtime *runtime = start_with(0);
    run_alone(runtime, fails_at_each_point, NULL);
    stop_runtime(runtime);
}
END_TEST

static void
cannot_make_a_thread(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    // The second point: the first is the call's memory.
    coact__fail_nth(2, true);
    caller->first_rc = call(caller);
}

START_TEST(a_call_waits_for_the_threads_there_are_if_no_more_can_be_made)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller callers[2] = {{.first_rc = 0}};
    start_caller(&callers[0], 0);
    await_entered(1);
    callers[1].ref = spawn_peer(cannot_make_a_thread, &callers[1]);
    AWAIT(stats_of(runtime).blocking_queued == 1);
    coact__fail_nth(0, false);
    ck_assert_uint_eq(stats_of(runtime).blocking_threads, 1);
    set_gate(true);
    join_peer(callers[1].ref);
    ck_assert_int_eq(callers[1].first_rc, 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- All at once --------------------------------------------------------- */

static _Atomic uint32_t begun, destroyed_of_many, returned;

static void
short_nap(void *arg)
{
    struct work *work = arg;
    usleep(work->number % 7 * 50);
    work->result = work->number + 1;
}

static void
naps_until_killed(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (uint32_t i = 0; i < 30; i++) {
        struct work work = {.number = i, .destroyed = &destroyed_of_many};
        begun++;
        int rc = coact_blocking(short_nap, &work, sizeof(work), destroy_work,
                                i % 3 == 0 ? coact_in_ns(i * 10000) : IN_TIME);
        if (rc == 0) {
            ck_assert_uint_eq(work.result, i + 1);
            returned++;
        }
    }
}

static void
kills_some(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref all[40];
    for (uint32_t i = 0; i < 40; i++) {
        all[i] = spawn_peer(naps_until_killed, NULL);
    }
    for (uint32_t i = 0; i < 40; i += 2) {
        coact_sleep(coact_in_ns(500000));
        coact_kill(all[i].ref);
    }
    for (uint32_t i = 0; i < 40; i++) {
        join_peer(all[i]);
    }
}

START_TEST(every_argument_comes_back_or_is_destroyed_once_among_kills)
{
    const struct coact_runtime_options options = {
        .workers = 3, .log = log_nothing, .blocking_threads = 5};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    join_peer(spawn_peer(kills_some, NULL));
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 0);
    stop_runtime(runtime);
    ck_assert_uint_gt(returned, 0);
    ck_assert_uint_gt(destroyed_of_many, 0);
    ck_assert_uint_eq(begun, destroyed_of_many + returned);
}
END_TEST

SUITE_MAIN("blocking", a_call_that_blocks_lets_others_on_the_same_worker_run,
           the_thread_of_a_call_is_no_actor_and_takes_no_signals,
           a_call_that_is_refused_destroys_its_argument_and_is_not_made,
           s13_a_kill_ends_a_blocking_call_with_canceled_once,
           s13_a_kill_takes_a_call_that_waits_for_a_thread_out_of_the_queue,
           s13_a_kill_beside_a_result_is_told_all_the_same,
           a_call_past_its_deadline_is_left_and_its_result_destroyed_once,
           calls_beyond_the_threads_are_made_first_come_first_served,
           there_are_never_more_threads_than_allowed_and_none_when_idle,
           one_idle_thread_is_enough_for_calls_one_after_another,
           a_runtime_with_a_call_that_has_not_returned_cannot_be_freed,
           a_stop_waits_for_calls_that_have_not_returned,
           a_host_that_pumps_has_threads_for_calls_all_the_same,
           a_call_fails_whole_or_not_at_all,
           a_call_waits_for_the_threads_there_are_if_no_more_can_be_made,
           every_argument_comes_back_or_is_destroyed_once_among_kills)
