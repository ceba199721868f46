/*
 * overflow_contain_test.c - with COACT_OVERFLOW_KILL_ACTOR a stack overflow
 * ends one actor, in order, and nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/dig.h"
#include "test/actors/peers.h"

#include <coact/supervisor.h>

#include <signal.h>
#include <sys/mman.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- A runtime that contains --------------------------------------------- */

static void
see(void *context, enum coact_log_level level, const char *text)
{
    struct log_seen *log = context;
    (void)level;
    atomic_fetch_add(&log->lines, 1);
    snprintf(log->last, sizeof(log->last), "%s", text);
}

static struct coact_runtime_options
containing(uint32_t workers)
{
    return (struct coact_runtime_options){.workers = workers,
                                          .log = log_nothing,
                                          .on_stack_overflow =
                                              COACT_OVERFLOW_KILL_ACTOR};
}

/* As conduct of peers.h, with these options; what the runtime has counted. */
static struct coact_runtime_stats
conduct_with(const struct coact_runtime_options *options,
             void (*body)(peer_self self, void *arg), void *arg)
{
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref conductor;
    ck_assert_int_eq(coact_spawn_with(peer, &conductor, body, arg,
                                      .label = "conductor", .trap_exit = true,
                                      .stack_bytes = 256 << 10),
                     0);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(conductor.ref, IN_TIME, &reason), 0);
    if (reason.code != COACT_NOPROC) {
        ck_assert_msg(reason.code == COACT_NORMAL, "the conductor ended: %s %s",
                      coact_reason_name(reason.code), reason.text);
    }
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    stop_runtime(runtime);
    return stats;
}

static struct coact_runtime_stats
conduct_containing(void (*body)(peer_self self, void *arg), void *arg)
{
    const struct coact_runtime_options options = containing(2);
    return conduct_with(&options, body, arg);
}

/* By a conductor: run an actor, and hear how it ended. */
static struct coact_reason
end_of(peer_self self, void (*body)(peer_self self, void *arg), void *arg,
       size_t stack_bytes)
{
    peer_ref digger;
    coact_monitor_id monitor;
    ck_assert_int_eq(
        coact_spawn_with(peer, &digger, body, arg, .label = "digger",
                         .stack_bytes = stack_bytes, .monitor = &monitor),
        0);
    struct coact_down down = expect_down(self);
    ck_assert_uint_eq(down.monitor.id, monitor.id);
    return down.reason;
}

static void
ck_overflow(const struct coact_reason *reason)
{
    ck_assert_msg(reason->code == COACT_STACK_OVERFLOW, "%s: %s",
                  coact_reason_name(reason->code), reason->text);
}

/* ---- The kinds of overflow ----------------------------------------------- */

static void
dig_body(peer_self self, void *arg)
{
    (void)arg;
    (void)self;
    (void)dig();
}

static void
wide_body(peer_self self, void *arg)
{
    (void)arg;
    (void)self;
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

/* ---- In order ------------------------------------------------------------ */

struct diary {
    char lines[256];
};

static void
enter(struct diary *diary, const char *line)
{
    strcat(diary->lines, line);
    strcat(diary->lines, " ");
}

/* What a clean-up finds on the stack that overflowed. */
struct notebook {
    struct diary *diary;
    const char *line;
    unsigned char pages[512];
};

static void
open_notebook(struct notebook *notebook, struct diary *diary, const char *line)
{
    *notebook = (struct notebook){.diary = diary, .line = line};
    memset(notebook->pages, line[0], sizeof(notebook->pages));
}

static void
close_notebook(void *arg)
{
    struct notebook *notebook = arg;
    bool is_whole = true;
    for (size_t i = 0; i < sizeof(notebook->pages); i++) {
        is_whole =
            is_whole && notebook->pages[i] == (unsigned char)notebook->line[0];
    }
    enter(notebook->diary, is_whole ? notebook->line : "spoilt");
}

static void
wait_a_little(void *arg)
{
    enter(arg, coact_sleep(coact_in_ms(1)) == 0 ? "slept" : "cancelled");
}

static int
deeper_with_notebook(struct diary *diary)
{
    struct notebook inner;
    open_notebook(&inner, diary, "inner");
    ck_assert_int_eq(coact_defer(close_notebook, &inner), 0);
    return dig();
}

static void
tidy_body(peer_self self, void *arg)
{
    struct notebook outer;
    open_notebook(&outer, arg, "outer");
    ck_assert_int_eq(coact_defer(close_notebook, &outer), 0);
    ck_assert_int_eq(coact_defer(wait_a_little, arg), 0);
    ck_assert_ptr_nonnull(coact_arena(100000));
    (void)self;
    (void)deeper_with_notebook(arg);
}

static void
check_tidy(peer_self self, void *arg)
{
    (void)arg;
    struct diary diary = {""};
    struct coact_reason reason = end_of(self, tidy_body, &diary, 0);
    ck_overflow(&reason);
    ck_assert_str_eq(diary.lines, "inner slept outer ");
}

START_TEST(s15_clean_ups_run_once_newest_first_and_find_the_stack_as_it_was)
{
    conduct_containing(check_tidy, NULL);
}
END_TEST

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

/* ---- Between clean-ups --------------------------------------------------- */

static void
dig_in_clean_up(void *arg)
{
    enter(arg, "digs");
    (void)dig();
}

static void
say_last(void *arg)
{
    enter(arg, "last");
}

static void
overflow_in_clean_up_body(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(say_last, arg), 0);
    ck_assert_int_eq(coact_defer(dig_in_clean_up, arg), 0);
    (void)self;
    coact_fail(-EIO, "first");
}

static void
check_clean_up(peer_self self, void *arg)
{
    (void)arg;
    struct diary diary = {""};
    struct coact_reason reason =
        end_of(self, overflow_in_clean_up_body, &diary, 0);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "first");
    ck_assert_str_eq(diary.lines, "digs last ");
}

START_TEST(s15_an_overflow_in_a_clean_up_runs_the_next_and_keeps_the_reason)
{
    conduct_containing(check_clean_up, NULL);
}
END_TEST

static void
undefer_body(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(say_last, arg), 0);
    ck_assert_int_eq(coact_defer(dig_in_clean_up, arg), 0);
    (void)self;
    (void)coact_undefer();
}

static void
check_undefer(peer_self self, void *arg)
{
    (void)arg;
    struct diary diary = {""};
    struct coact_reason reason = end_of(self, undefer_body, &diary, 0);
    ck_overflow(&reason);
    ck_assert_str_eq(diary.lines, "digs last ");
}

START_TEST(s15_an_overflow_in_a_clean_up_that_is_run_early_is_contained)
{
    conduct_containing(check_undefer, NULL);
}
END_TEST

/* A third, if the processor computes and copies as it should. */
static void
compute(void *arg)
{
    volatile long double three = 3;
    uintptr_t flags = 0;
#if defined(__x86_64__)
    flags = __builtin_ia32_readeflags_u64();
#endif
    enum { DIRECTION_FLAG = 1 << 10 };
    *(long double *)arg = (flags & DIRECTION_FLAG) == 0 ? 1 / three : 0;
}

static void
odd_body(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(compute, arg), 0);
    (void)self;
    (void)dig_with_odd_registers();
}

static void
check_odd(peer_self self, void *arg)
{
    (void)arg;
    long double third = 0;
    struct coact_reason reason = end_of(self, odd_body, &third, 0);
    ck_overflow(&reason);
    ck_assert(third > 0.33L && third < 0.34L);
}

START_TEST(s15_clean_ups_find_the_processor_in_order)
{
    conduct_containing(check_odd, NULL);
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

SUITE_MAIN("overflow_contain",
           s15_an_overflow_ends_the_actor_with_a_reason_that_names_the_stack,
           s15_a_frame_of_200_kB_is_contained_too,
           s15_an_overflow_is_contained_by_either_kind_of_guard,
           s15_clean_ups_run_once_newest_first_and_find_the_stack_as_it_was,
           s15_links_and_monitors_learn_of_an_overflow_and_others_go_on,
           s15_a_supervisor_restarts_who_overflowed,
           s15_a_thousand_overflows_in_a_row_leave_nothing_behind,
           s15_many_overflows_at_once_on_several_workers_are_contained,
           s15_an_overflow_in_a_clean_up_runs_the_next_and_keeps_the_reason,
           s15_an_overflow_in_a_clean_up_that_is_run_early_is_contained,
           s15_clean_ups_find_the_processor_in_order,
           s15_handlers_are_there_only_for_those_who_ask,
           s15_an_option_that_does_not_exist_is_refused,
           s15_a_runtime_driven_by_its_host_contains_overflows_too)
