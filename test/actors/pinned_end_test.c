/*
 * pinned_end_test.c - how pinned actors end, begin again, or cannot begin.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/pinned_world.h"
#include "test/actors/watched_log.h"

#include "runtime/memory.h"

#include <coact/supervisor.h>

#define SOME 20

/* ---- Restarts ------------------------------------------------------------ */

static _Atomic uint32_t starts;

static void
fail_on_go(peer_self self, void *arg)
{
    (void)arg;
    static _Thread_local uint32_t lives;
    ck_assert_uint_eq(lives++, 0); // a thread of its own each time
    atomic_fetch_add(&starts, 1);
    until_go_body(self, NULL);
    coact_fail(-EIO, "as told");
}

static void
let_it_fail(peer_self self, void *arg)
{
    (void)self, (void)arg;
    const struct coact_child child =
        COACT_CHILD(peer, "fails", fail_on_go, NULL,
                    .options = {.pinned = true, .name = "fails"},
                    .backoff = {.first_ns = COACT_NO_BACKOFF});
    coact_supervisor_ref top;
    ck_assert_int_eq(
        coact_supervise(
            &(struct coact_supervisor){.children = &child,
                                       .child_count = 1,
                                       .intensity = COACT_RESTART_FOREVER},
            IN_TIME, &top, NULL),
        0);
    for (int i = 0; i < 50;) {
        peer_ref ref;
        ck_assert_int_eq(coact_child_find(top, peer, "fails", &ref, IN_TIME),
                         0);
        // Or the supervisor has not heard yet that this one is gone.
        i += coact_send(ref, go, 0) == 0;
        ck_assert_int_eq(coact_join(ref.ref, IN_TIME, NULL), 0);
    }
    ck_assert_int_eq(coact_supervisor_stop(top, IN_TIME, NULL), 0);
}

static void
restarts_with(uint32_t most)
{
    struct coact_runtime *runtime = start_as(
        (struct coact_runtime_options){.workers = 2, .pinned_threads = most});
    peer_ref conductor = spawn_peer(let_it_fail, NULL);
    ck_ends_well(conductor);
    ck_assert_uint_ge(atomic_load(&starts), 50);
    stop_runtime(runtime);
    ck_assert_uint_eq(pinned_threads_there(), 0);
}

START_TEST(a_supervisor_restarts_a_pinned_child_on_a_new_thread_each_time)
{
    restarts_with(0);
}
END_TEST

START_TEST(a_restart_finds_its_place_where_one_thread_is_allowed)
{
    restarts_with(1);
}
END_TEST

static void
trap_and_stay(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON_EXIT(e):
            (void)e;
            break;
        case COACT_ON_CANCELLED:
            return;
        }
    }
}

static void
shut_down_who_traps(peer_self self, void *arg)
{
    (void)self, (void)arg;
    const struct coact_child child =
        COACT_CHILD(peer, "stays", trap_and_stay, NULL,
                    .options = {.pinned = true}, .shutdown_ns = COACT_MS(20));
    coact_supervisor_ref top;
    ck_assert_int_eq(
        coact_supervise(
            &(struct coact_supervisor){.children = &child, .child_count = 1},
            IN_TIME, &top, NULL),
        0);
    ck_assert_int_eq(coact_supervisor_stop(top, IN_TIME, NULL), 0);
}

START_TEST(a_pinned_child_that_stays_is_killed_after_its_grace)
{
    conduct(1, shut_down_who_traps, NULL);
}
END_TEST

/* ---- Ends ---------------------------------------------------------------- */

static void
sleeps(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(clean_up, arg), 0);
    ((struct walk *)arg)->place = place_here();
    coact_send(((struct walk *)arg)->oracle, go, 0);
    sleep_until_killed(self, NULL);
}

static void
listens(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(clean_up, arg), 0);
    ((struct walk *)arg)->place = place_here();
    coact_send(((struct walk *)arg)->oracle, go, 0);
    idle_body(self, NULL);
}

static void
asks_nobody(peer_self self, void *arg)
{
    (void)self;
    struct walk *walk = arg;
    ck_assert_int_eq(coact_defer(clean_up, arg), 0);
    walk->place = place_here();
    coact_send(walk->oracle, go, 0);
    struct answer answer;
    ck_assert_int_eq(
        coact_ask(walk->oracle, question, &answer, COACT_FOREVER, .n = 1),
        -ECANCELED);
}

/* A killed one's clean-ups may not wait; this only looks where it is. */
static void
look_only(void *arg)
{
    struct walk *walk = arg;
    ck_is_here(walk->place);
    walk->cleaned++;
}

static void
look_and_sleep(peer_self self, void *arg)
{
    (void)self;
    struct walk *walk = arg;
    ck_assert_int_eq(coact_defer(look_only, arg), 0);
    walk->place = place_here();
    coact_send(walk->oracle, go, 0);
    coact_sleep(COACT_FOREVER);
    coact_sleep(COACT_FOREVER);
}

static void
await_go(peer_self self)
{
    COACT_RECEIVE_ONLY(self, IN_TIME, go) {
    case COACT_ON(go, m):
        (void)m;
        break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("no go came");
    }
}

static void
ends_each(peer_self self, void *arg)
{
    (void)arg;
    static void (*const bodies[])(peer_self, void *) = {sleeps, listens,
                                                        asks_nobody};
    for (uint32_t i = 0; i < 3; i++) {
        struct walk walk = {.oracle = {coact_self()}};
        peer_ref ref = spawn_pinned(bodies[i], &walk);
        await_go(self);
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(ref.ref, &monitor), 0);
        ck_assert_int_eq(coact_signal_exit(ref.ref, COACT_SHUTDOWN, ""), 0);
        ck_assert_int_eq(expect_down(self).reason.code, COACT_SHUTDOWN);
        ck_assert_uint_eq(walk.cleaned, 1);
    }
    for (uint32_t i = 0; i < 20; i++) {
        struct walk walk = {.oracle = {coact_self()}};
        coact_monitor_id monitor;
        peer_ref ref;
        ck_assert_int_eq(coact_spawn_with(peer, &ref, look_and_sleep, &walk,
                                          .pinned = true, .monitor = &monitor),
                         0);
        await_go(self);
        ck_assert_int_eq(coact_kill(ref.ref), 0);
        ck_assert_int_eq(expect_down(self).reason.code, COACT_KILLED);
        ck_assert_uint_eq(walk.cleaned, 1);
    }
}

START_TEST(a_pinned_actor_ends_at_any_wait_and_cleans_up_on_its_thread)
{
    conduct(2, ends_each, NULL);
    ck_assert_uint_eq(pinned_threads_there(), 0);
}
END_TEST

START_TEST(one_that_is_killed_at_its_birth_ends_and_its_argument_goes_once)
{
    struct coact_runtime *runtime = start_runtime(2);
    for (int i = 0; i < 50; i++) {
        struct walk walk = {.destroyed = 0};
        peer_ref ref;
        ck_assert_int_eq(coact_spawn_with(peer, &ref, sleep_until_killed, &walk,
                                          .pinned = true,
                                          .destroy_arg = destroy),
                         0);
        coact_kill(ref.ref);
        join_peer(ref);
        AWAIT(stats_now(runtime).actors_alive == 0);
        ck_assert_uint_eq(walk.destroyed, 1);
    }
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_stop_ends_pinned_actors_that_wait_and_joins_their_threads)
{
    struct coact_runtime *runtime = start_runtime(2);
    for (int i = 0; i < SOME; i++) {
        (void)spawn_pinned(i % 2 == 0 ? idle_body : sleep_until_killed, NULL);
    }
    AWAIT(pinned_threads_there() == SOME);
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    ck_assert_uint_eq(pinned_threads_there(), 0);
    stop_runtime(runtime); // again
}
END_TEST

static void
note_blame(void *context, enum coact_log_level level, const char *text)
{
    (void)level;
    if (strstr(text, "stop: the client (actor") != NULL &&
        strstr(text, "code that does not wait") != NULL) {
        atomic_fetch_add((_Atomic uint32_t *)context, 1);
    }
}

START_TEST(a_stop_names_a_pinned_actor_that_never_returns)
{
    static _Atomic uint32_t blamed;
    struct coact_runtime *runtime = start_as((struct coact_runtime_options){
        .workers = 1, .log = note_blame, .log_context = &blamed});
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, block_at_gate, NULL,
                                      .pinned = true, .label = "the client"),
                     0);
    await_entered(1);
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(30)), -ETIMEDOUT);
    ck_assert_uint_eq(atomic_load(&blamed), 1);
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    set_gate(true);
    stop_runtime(runtime);
    ck_assert_uint_eq(pinned_threads_there(), 0);
}
END_TEST

static void
block_the_thread(void *own)
{
    (void)own;
    enter(0);
}

static void
do_nothing(peer_self self, void *arg)
{
    (void)self, (void)arg;
}

/* Leaves a thread-local whose destructor blocks. */
static void
leave_something(peer_self self, void *arg)
{
    (void)self;
    const pthread_key_t *key = arg;
    ck_assert_int_eq(pthread_setspecific(*key, arg), 0);
}

/* The thread that is late is the last to end, or is waited for by that one. */
static void
stop_in_a_destructor(pthread_key_t key, bool is_last)
{
    struct log_seen seen = {0};
    struct coact_runtime *runtime = start_as((struct coact_runtime_options){
        .workers = 1, .log = keep_last, .log_context = &seen});
    uint32_t before = count_entered();
    ck_ends_well(spawn_pinned(leave_something, &key));
    await_entered(before + 1);
    if (!is_last) {
        ck_ends_well(spawn_pinned(do_nothing, NULL));
    }
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(30)), -ETIMEDOUT);
    ASSERT_SAYS(seen.last, "stop: the thread of a pinned actor that has ended");
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    set_gate(true);
    stop_runtime(runtime);
    set_gate(false);
}

START_TEST(a_stop_does_not_wait_for_the_destructor_of_a_thread_local_for_ever)
{
    pthread_key_t key;
    ck_assert_int_eq(pthread_key_create(&key, block_the_thread), 0);
    stop_in_a_destructor(key, true);
    stop_in_a_destructor(key, false);
    ck_assert_int_eq(pthread_key_delete(key), 0);
}
END_TEST

/* ---- Polite loops ---- */

static void
polls_politely(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_timer_id timer;
    ck_assert_int_eq(coact_timer_start(&timer, coact_in_ms(2), 0, NULL), 0);
    while (coact_pending() == 0) {
        ck_assert_int_lt(coact_now_ns(), IN_TIME);
        ck_assert_int_eq(coact_checkpoint(), 0);
    }
}

START_TEST(a_loop_with_checkpoints_gets_its_ticks)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref ref;
    ck_assert_int_eq(
        coact_spawn_with(peer, &ref, polls_politely, NULL, .pinned = true), 0);
    join_peer(ref);
    stop_runtime(runtime);
}
END_TEST

/* ---- What cannot be had -------------------------------------------------- */

static void
count_one(void *arg)
{
    *(uint32_t *)arg += 1;
}

static int
spawn_named(uint32_t *destroyed, peer_ref *out)
{
    return coact_spawn_with(peer, out, until_go_body, destroyed, .pinned = true,
                            .name = "somebody", .account = true,
                            .label = "a label", .mailbox_messages = 5,
                            .destroy_arg = count_one);
}

static void
ck_nothing_is_there(struct coact_runtime *runtime)
{
    peer_ref found;
    ck_assert_int_eq(coact_whereis(peer, "somebody", &found), -ENOENT);
    ck_assert_uint_eq(stats_now(runtime).actors_pinned, 0);
    ck_assert_uint_eq(stats_now(runtime).actors_alive, 0);
}

/* The runtime rests, so all failures are the spawn's. */
START_TEST(a_spawn_that_gets_no_thread_or_no_memory_leaves_nothing)
{
    struct coact_runtime *runtime = start_runtime(1);
    int rc = -1;
    bool had_no_thread = false;
    for (unsigned long n = 1; rc != 0; n++) {
        uint32_t destroyed = 0;
        peer_ref ref;
        coact__fail_nth(n, false);
        rc = spawn_named(&destroyed, &ref);
        coact__fail_nth(0, false);
        if (rc != 0) {
            ck_assert_msg(rc == -ENOMEM || rc == -EAGAIN, "%d", rc);
            had_no_thread = had_no_thread || rc == -EAGAIN;
            ck_assert_uint_eq(destroyed, 1);
            ck_nothing_is_there(runtime);
            continue;
        }
        coact_kill(ref.ref); // or it got no stack
        AWAIT(stats_now(runtime).actors_alive == 0);
        ck_assert_uint_eq(destroyed, 1);
    }
    ck_assert(had_no_thread);
    ck_nothing_is_there(runtime);
    stop_runtime(runtime);
}
END_TEST

/* The next in the place of a pinned one fails before it is known what it is. */
static void
fails_in_the_same_slot(peer_self self, void *arg)
{
    (void)self;
    for (unsigned long n = 1; n < 4; n++) {
        peer_ref ref;
        ck_assert_int_eq(
            coact_spawn_with(peer, &ref, until_go_body, NULL, .pinned = true),
            0);
        ck_assert_int_eq(coact_send(ref, go, 0), 0);
        ck_assert_int_eq(coact_join(ref.ref, IN_TIME, NULL), 0);
        AWAIT(stats_now(arg).actors_pinned == 0);
        peer_ref next;
        coact__fail_nth(n, true);
        int rc = coact_spawn_with(peer, &next, until_go_body, NULL,
                                  .mailbox_messages = 5);
        coact__fail_nth(0, false);
        ck_assert_uint_eq(stats_now(arg).actors_pinned, 0);
        ck_assert(rc == 0 || rc == -ENOMEM);
        if (rc == 0) {
            ck_assert_int_eq(coact_kill(next.ref), 0);
            (void)join_peer(next);
        }
        AWAIT(stats_now(arg).actors_alive <= 2); // we, and who waits for us
    }
}

START_TEST(a_failed_spawn_in_the_place_of_a_pinned_actor_counts_nobody_out)
{
    // So few that the slot that was given back last is the next.
    const struct coact_runtime_options options = {
        .workers = 1, .max_actors = 4, .log = log_nothing};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref ref = spawn_peer(fails_in_the_same_slot, runtime);
    join_peer(ref);
    stop_runtime(runtime);
}
END_TEST

static atomic_bool has_begun;

static void
begins(peer_self self, void *arg)
{
    atomic_store(&has_begun, true);
    until_go_body(self, arg);
}

/* What fails is the stack, where the spawn has passed all its points. */
START_TEST(one_that_gets_a_thread_and_no_stack_ends_and_so_does_its_thread)
{
    struct coact_runtime *runtime = start_runtime(1);
    bool had_no_stack = false;
    bool is_passed = false;
    for (unsigned long n = 1; !is_passed; n++) {
        uint32_t destroyed = 0;
        peer_ref ref;
        atomic_store(&has_begun, false);
        coact__fail_nth(n, false);
        int rc = coact_spawn_with(peer, &ref, begins, &destroyed,
                                  .pinned = true, .destroy_arg = count_one);
        if (rc == 0) {
            AWAIT(atomic_load(&has_begun) ||
                  stats_now(runtime).actors_alive == 0);
        }
        is_passed = coact__fail_count() < n;
        coact__fail_nth(0, false);
        if (rc == 0 && atomic_load(&has_begun)) {
            ck_assert_int_eq(coact_send(ref, go, 0), 0);
        }
        AWAIT(stats_now(runtime).actors_alive == 0);
        had_no_stack = had_no_stack || (rc == 0 && !atomic_load(&has_begun));
        ck_assert_uint_eq(destroyed, 1);
    }
    ck_assert(had_no_stack);
    ck_nothing_is_there(runtime);
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_name_that_is_taken_takes_the_thread_back)
{
    struct coact_runtime *runtime = start_runtime(1);
    uint32_t destroyed = 0;
    peer_ref first, second;
    ck_assert_int_eq(spawn_named(&destroyed, &first), 0);
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(spawn_named(&destroyed, &second), -EEXIST);
    }
    ck_assert_uint_eq(destroyed, 30);
    ck_assert_uint_eq(stats_now(runtime).actors_pinned, 1);
    AWAIT(pinned_threads_there() == 1);
    stop_runtime(runtime);
}
END_TEST

START_TEST(no_more_are_pinned_than_allowed_and_again_as_many_when_some_ended)
{
    struct coact_runtime *runtime = start_as(
        (struct coact_runtime_options){.workers = 1, .pinned_threads = 2});
    peer_ref refs[3];
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 2; i++) {
            refs[i] = spawn_pinned(until_go_body, NULL);
        }
        ck_assert_int_eq(coact_spawn_with(peer, &refs[2], until_go_body, NULL,
                                          .pinned = true),
                         -EAGAIN);
        for (int i = 0; i < 2; i++) {
            coact_send(refs[i], go, 0);
            join_peer(refs[i]);
        }
    }
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("pinned_end", a_pinned_child_that_stays_is_killed_after_its_grace,
           a_supervisor_restarts_a_pinned_child_on_a_new_thread_each_time,
           a_restart_finds_its_place_where_one_thread_is_allowed,
           a_pinned_actor_ends_at_any_wait_and_cleans_up_on_its_thread,
           one_that_is_killed_at_its_birth_ends_and_its_argument_goes_once,
           a_stop_ends_pinned_actors_that_wait_and_joins_their_threads,
           a_stop_names_a_pinned_actor_that_never_returns,
           a_stop_does_not_wait_for_the_destructor_of_a_thread_local_for_ever,
           a_spawn_that_gets_no_thread_or_no_memory_leaves_nothing,
           a_loop_with_checkpoints_gets_its_ticks,
           a_failed_spawn_in_the_place_of_a_pinned_actor_counts_nobody_out,
           one_that_gets_a_thread_and_no_stack_ends_and_so_does_its_thread,
           a_name_that_is_taken_takes_the_thread_back,
           no_more_are_pinned_than_allowed_and_again_as_many_when_some_ended)
