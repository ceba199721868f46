/*
 * overflow_contain_test.c - with COACT_OVERFLOW_KILL_ACTOR a stack overflow
 * ends one actor, in order, and nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/overflow_world.h"

#include <coact/server.h>
#include <coact/supervisor.h>

#include <signal.h>
#include <sys/mman.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The kinds of overflow ----------------------------------------------- */

static void
dig_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig();
}

static void
wide_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig_wide();
}

static void
alloca_body(peer_self self, void *arg)
{
    (void)self;
    (void)dig_alloca(*(size_t *)arg);
}

static void
check_text(peer_self self, void *arg)
{
    (void)arg;
    struct coact_reason reason = end_of(self, dig_body, NULL, 0);
    ck_overflow(&reason);
    ck_assert_str_eq(coact_reason_name(reason.code), "stack overflow");
    unsigned bytes = 0;
    ck_assert_msg(
        sscanf(reason.text, "stack %u bytes, in test_actors_", &bytes) == 1 &&
            bytes > 58000 && bytes < 65536,
        "%s", reason.text);
    ck_assert_ptr_nonnull(strstr(reason.text, "in test_actors_overflow_"));
    reason = end_of(self, dig_body, NULL, 4 << 20);
    ck_overflow(&reason);
    ck_assert_int_eq(sscanf(reason.text, "stack %u bytes, ", &bytes), 1);
    ck_assert_uint_gt(bytes, (4 << 20) - 8192);
}

START_TEST(s15_an_overflow_ends_the_actor_with_a_reason_that_names_the_stack)
{
    conduct_containing(check_text, NULL);
}
END_TEST

static void
dig_wide_holes(peer_self self, void *arg)
{
    (void)arg;
    struct coact_reason reason = end_of(self, wide_body, NULL, 0);
    ck_overflow(&reason);
    for (size_t bytes = 61440; bytes < 300000; bytes += 4096 + 16) {
        reason = end_of(self, alloca_body, &bytes, 0);
        ck_overflow(&reason);
    }
}

START_TEST(s15_a_frame_of_200_kB_is_contained_too)
{
    conduct_containing(dig_wide_holes, NULL);
}
END_TEST

static void
use_heavy_guards(peer_self self, void *arg)
{
    (void)arg;
    struct coact_runtime_stats stats;
    struct coact_reason reason = end_of(self, dig_body, NULL, 0);
    ck_overflow(&reason);
    coact_stats(coact_runtime_here(), &stats);
    ck_assert_str_eq(stats.stack_guards, "mprotect");
    reason = end_of(self, wide_body, NULL, 0);
    ck_overflow(&reason);
}

START_TEST(s15_an_overflow_is_contained_by_either_kind_of_guard)
{
    // The light kind is refused for locked memory.
    if (mlockall(MCL_FUTURE | MCL_ONFAULT) == 0) {
        conduct_containing(use_heavy_guards, NULL);
    }
}
END_TEST

/* ---- Servers ------------------------------------------------------------- */

static void
leaves_a_line(void *arg)
{
    enter(arg, "cleaned");
}
static int
line_init(void **state)
{
    return coact_defer(leaves_a_line, *state);
}
static int
digging_init(void **state)
{
    (void)state;
    return dig();
}
static void
digging_handle(peer_turn self, void *state)
{
    (void)state;
    COACT_HANDLE(self) {
    case COACT_ON(go, m):
        (void)dig();
        break;
    }
}
static void
overflow_servers(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct diary diary = {""};
        peer_ref server;
        coact_monitor_id monitor;
        ck_assert_int_eq(
            coact_serve_with(peer, &server, digging_handle, &diary,
                             .init = i % 2 == 0 ? line_init : digging_init,
                             .monitor = &monitor),
            0);
        (void)coact_send(server, go, 0);
        struct coact_down down = expect_down(self);
        ck_overflow(&down.reason);
        ck_assert_str_eq(diary.lines, i % 2 == 0 ? "cleaned " : "");
    }
}

START_TEST(s15_an_overflow_in_a_handler_or_an_init_ends_the_server)
{
    conduct_containing(overflow_servers, NULL);
}
END_TEST

/* ---- In order ------------------------------------------------------------ */

static void
linked_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig();
}

static void
watcher_body(peer_self self, void *arg)
{
    (void)arg;
    peer_ref digger, bystander;
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_spawn(peer, &bystander, oracle_body, NULL), 0);
    ck_assert_int_eq(coact_spawn_with(peer, &digger, linked_body, NULL,
                                      .link = true, .monitor = &monitor,
                                      .name = "digger"),
                     0);
    int news = 0;
    while (news != 3) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON_DOWN(d): {
            ck_assert_uint_eq(d->monitor.id, monitor.id);
            ck_overflow(&d->reason);
            news |= 1;
        } break;
        case COACT_ON_EXIT(e): {
            ck_assert(coact_ref_equal(e->from, digger.ref));
            ck_overflow(&e->reason);
            news |= 2;
        } break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("no news");
        }
    }
    ck_assert(!coact_is_alive(digger.ref));
    peer_ref found;
    ck_assert_int_eq(coact_whereis(peer, "digger", &found), -ENOENT);
    struct answer answer;
    ck_assert_int_eq(coact_ask(bystander, question, &answer, IN_TIME, .n = 1),
                     0);
    coact_kill(bystander.ref);
}

START_TEST(s15_links_and_monitors_learn_of_an_overflow_and_others_go_on)
{
    conduct_containing(watcher_body, NULL);
}
END_TEST

/* Its first three lives end early. */
static void
restarted_body(peer_self self, void *arg)
{
    _Atomic int *lives = arg;
    if (atomic_fetch_add(lives, 1) < 3) {
        (void)dig();
    }
    oracle_body(self, NULL);
}

static void
check_restarts(peer_self self, void *arg)
{
    (void)self, (void)arg;
    static _Atomic int lives;
    const struct coact_child children[] = {
        COACT_CHILD(peer, "digger", restarted_body, &lives),
        COACT_CHILD(peer, "other", oracle_body, NULL)};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = COUNT(children)};
    coact_supervisor_ref top;
    ck_assert_int_eq(coact_supervise(&spec, IN_TIME, &top, NULL), 0);
    peer_ref digger, other;
    ck_assert_int_eq(coact_child_find(top, peer, "other", &other, IN_TIME), 0);
    while (atomic_load(&lives) < 4) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    }
    ck_assert_int_eq(coact_child_find(top, peer, "digger", &digger, IN_TIME),
                     0);
    struct answer answer;
    ck_assert_int_eq(coact_ask(digger, question, &answer, IN_TIME, .n = 1), 0);
    ck_assert_int_eq(coact_ask(other, question, &answer, IN_TIME, .n = 1), 0);
    ck_assert_int_eq(coact_supervisor_stop(top, IN_TIME, NULL), 0);
}

START_TEST(s15_a_supervisor_restarts_who_overflowed)
{
    struct coact_runtime_stats stats = conduct_containing(check_restarts, NULL);
    ck_assert_uint_eq(stats.actors_failed, 3);
}
END_TEST

/* ---- Nothing is left behind ---------------------------------------------- */

static void
count_clean_up(void *arg)
{
    atomic_fetch_add((_Atomic uint32_t *)arg, 1);
}

static void
cleaner_body(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_defer(count_clean_up, arg), 0);
    ck_assert_ptr_nonnull(coact_arena(100));
    (void)dig();
}

static size_t
resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t all = 0, resident = 0;
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%zu %zu", &all, &resident), 2);
    fclose(file);
    return resident;
}

static void
dig_a_thousand(peer_self self, void *arg)
{
    (void)arg;
    _Atomic uint32_t cleaned = 0;
    struct coact_runtime_stats before = {0}, after;
    size_t pages = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct coact_reason reason =
            end_of(self, i % 2 == 0 ? cleaner_body : linked_body, &cleaned, 0);
        ck_overflow(&reason);
        if (i == 100) {
            coact_stats(coact_runtime_here(), &before);
            pages = resident_pages();
        }
    }
    coact_stats(coact_runtime_here(), &after);
    ck_assert_uint_eq(atomic_load(&cleaned), 500);
    // Each worker keeps some to hand; one lost each time would be 900.
    ck_assert_uint_le(after.stacks_mapped, before.stacks_mapped + 8);
    ck_assert_uint_le(after.stacks_in_use, before.stacks_in_use + 8);
    ck_assert_uint_le(resident_pages(), pages + 100);
}

START_TEST(s15_a_thousand_overflows_in_a_row_leave_nothing_behind)
{
    struct coact_runtime_stats stats = conduct_containing(dig_a_thousand, NULL);
    ck_assert_uint_eq(stats.actors_failed, 1000);
}
END_TEST

/* ---- Many at once -------------------------------------------------------- */

#define MANY 300

static void
yield_and_dig(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_yield();
    (void)dig();
}

/* Each second one overflows while the others work. */
static void
dig_all_at_once(peer_self self, void *arg)
{
    (void)self, (void)arg;
    static peer_ref workers[MANY];
    coact_monitor_id monitor;
    peer_ref digger;
    for (int i = 0; i < MANY; i++) {
        workers[i] = spawn_peer(oracle_body, NULL);
        ck_assert_int_eq(coact_spawn_with(peer, &digger, yield_and_dig, NULL,
                                          .monitor = &monitor),
                         0);
    }
    for (int i = 0; i < MANY; i++) {
        struct answer answer;
        ck_assert_int_eq(
            coact_ask(workers[i], question, &answer, IN_TIME, .n = (uint64_t)i),
            0);
        ck_assert_uint_eq(answer.n, (uint64_t)i + 1);
        struct coact_down down = expect_down(self);
        ck_overflow(&down.reason);
        coact_kill(workers[i].ref);
    }
}

START_TEST(s15_many_overflows_at_once_on_several_workers_are_contained)
{
    struct coact_runtime_options options = containing(4);
    struct coact_runtime_stats stats =
        conduct_with(&options, dig_all_at_once, NULL);
    ck_assert_uint_eq(stats.actors_failed, MANY);
}
END_TEST

/* ---- Handlers ------------------------------------------------------------ */

START_TEST(s15_handlers_are_there_only_for_those_who_ask)
{
    struct sigaction before, after;
    ck_assert_int_eq(sigaction(SIGSEGV, NULL, &before), 0);
    struct coact_runtime *runtime = start_runtime(1);
    ck_assert_int_eq(sigaction(SIGSEGV, NULL, &after), 0);
    ck_assert_ptr_eq((void *)(uintptr_t)after.sa_handler,
                     (void *)(uintptr_t)before.sa_handler);
    stop_runtime(runtime);
    const struct coact_runtime_options options = containing(1);
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    ck_assert_int_eq(sigaction(SIGSEGV, NULL, &after), 0);
    ck_assert_ptr_ne((void *)(uintptr_t)after.sa_handler,
                     (void *)(uintptr_t)before.sa_handler);
    stop_runtime(runtime);
}
END_TEST

START_TEST(s15_an_option_that_does_not_exist_is_refused)
{
    struct coact_runtime_options options = containing(1);
    options.on_stack_overflow = (enum coact_on_stack_overflow)7;
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), -EINVAL);
}
END_TEST

/* ---- Driven by a host ---------------------------------------------------- */

static void
dig_fifty(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        struct coact_reason reason = end_of(self, dig_body, NULL, 0);
        ck_overflow(&reason);
    }
}

START_TEST(s15_a_runtime_driven_by_its_host_contains_overflows_too)
{
    struct coact_runtime_options options = containing(0);
    struct log_seen seen = {0};
    options.host_driven = true;
    options.log = see;
    options.log_context = &seen;
    (void)conduct_with(&options, dig_fifty, NULL);
    ck_assert_uint_eq(atomic_load(&seen.lines), 50);
    ck_assert_ptr_nonnull(strstr(seen.last, "ended: stack overflow: stack "));
}
END_TEST

/* ---- On a thread of its own ---------------------------------------------- */

static void
note_thread(void *arg)
{
    *(pid_t *)arg = gettid();
}

static void
dig_pinned(peer_self self, void *arg)
{
    (void)self;
    pid_t *threads = arg;
    threads[0] = gettid();
    COACT_CHECK(coact_defer(note_thread, &threads[1]) == 0);
    (void)dig();
}

static void
dig_pinned_often(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        pid_t threads[2] = {0};
        peer_ref digger;
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_spawn_with(peer, &digger, dig_pinned, threads,
                                          .pinned = true, .monitor = &monitor),
                         0);
        struct coact_down down = expect_down(self);
        ck_overflow(&down.reason);
        ck_assert_int_ne(threads[0], 0);
        ck_assert_int_eq(threads[1], threads[0]);
    }
}

START_TEST(s15_an_overflow_ends_a_pinned_actor_alone_on_its_thread)
{
    conduct_containing(dig_pinned_often, NULL);
}
END_TEST

SUITE_MAIN("overflow_contain",
           s15_an_overflow_ends_the_actor_with_a_reason_that_names_the_stack,
           s15_a_frame_of_200_kB_is_contained_too,
           s15_an_overflow_is_contained_by_either_kind_of_guard,
           s15_an_overflow_in_a_handler_or_an_init_ends_the_server,
           s15_links_and_monitors_learn_of_an_overflow_and_others_go_on,
           s15_a_supervisor_restarts_who_overflowed,
           s15_a_thousand_overflows_in_a_row_leave_nothing_behind,
           s15_many_overflows_at_once_on_several_workers_are_contained,
           s15_handlers_are_there_only_for_those_who_ask,
           s15_an_option_that_does_not_exist_is_refused,
           s15_a_runtime_driven_by_its_host_contains_overflows_too,
           s15_an_overflow_ends_a_pinned_actor_alone_on_its_thread)
