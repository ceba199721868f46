/*
 * isolated_test.c - a child in a process of its own is a child: it is started,
 * talked to, restarted and stopped by the same rules, whatever kills it.
 *
 * The binary is its own child: main asks coact_main first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/isolated_world.h"

#include "runtime/process.h"

#include <limits.h>

/* ---- The bodies ---------------------------------------------------------- */

struct toy_config {
    coact_text title;
    int64_t number;
    COACT_REPEATED(int32_t) list;
};
COACT_MESSAGE(toy_config, (1, title), (2, number), (3, list, REPEATED));

struct toy_state {
    int32_t pid;
    coact_text title;
    int64_t number;
    int32_t sum;
    coact_ref self;
};
COACT_MESSAGE(toy_state, (1, pid), (2, title), (3, number), (4, sum),
              (5, self));
COACT_SIGNAL_REQUEST(who_are_you, toy_state);

enum blow {
    BY_SEGV = 1,
    BY_KILL,
    BY_EXIT_3,
    BY_EXIT_0,
    BY_HANG,
    BY_RETURN,
    BY_FAILURE,
    BY_OVERFLOW
};
struct blow_up {
    int32_t how;
};
COACT_MESSAGE(blow_up, (1, how));

/* Ask another toy who it is. */
struct meet {
    coact_ref other;
};
struct met {
    int32_t rc;
    int32_t pid;
};
COACT_MESSAGE(met, (1, rc), (2, pid));
COACT_REQUEST(meet, met, (1, other));

COACT_MAILBOX(toy, who_are_you, blow_up, meet);

static volatile int depth_left = INT_MAX;

static int
overflow(void)
{
    volatile char frame[512];
    frame[0] = (char)depth_left;
    return --depth_left > 0 ? overflow() + frame[0] : 0;
}

static void
blow(int32_t how)
{
    volatile uintptr_t nowhere = 64; // not NULL, which UBSan would catch
    switch (how) {
    case BY_SEGV:
        *(volatile int *)nowhere = 1;
        break;
    case BY_KILL:
        kill(getpid(), SIGKILL);
        break;
    case BY_EXIT_3:
        exit(3);
    case BY_EXIT_0:
        exit(0);
    case BY_HANG:
        for (volatile unsigned i = 0;; i++) {
        }
    case BY_FAILURE:
        coact_fail(-EIO, "blown");
    case BY_OVERFLOW:
        (void)overflow();
        break;
    default:
        break;
    }
}

static struct toy_state
state_of(toy_self self, const struct toy_config *config)
{
    struct toy_state state = {.pid = getpid(), .self = self.ref};
    if (config != NULL) {
        state.title = coact_text_copy(coact_text_cstr(config->title));
        state.number = config->number;
        for (size_t i = 0; i < config->list.count; i++) {
            state.sum += config->list.data[i];
        }
    }
    return state;
}

static void
toy_run(toy_self self, void *arg)
{
    for (;;) {
        int32_t how = 0;
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(who_are_you, m): {
            struct toy_state s = state_of(self, arg);
            coact_reply(m, .pid = s.pid, .title = s.title, .number = s.number,
                        .sum = s.sum, .self = s.self);
        } break;
        case COACT_ON(blow_up, m): {
            how = m->how;
        } break;
        case COACT_ON(meet, m): {
            toy_ref other = {.ref = m->other};
            struct toy_state state = {.pid = 0};
            int rc = coact_ask(other, who_are_you, &state, SOON, 0);
            coact_reply(m, .rc = rc, .pid = state.pid);
            coact_message_destroy(COACT_TYPE(toy_state), &state);
        } break;
        }
        if (how == BY_RETURN) {
            return;
        }
        blow(how);
    }
}

/* Says that it has started only when it is told to be alive for 20 ms. */
static void
slow_run(toy_self self, void *arg)
{
    COACT_CHECK(coact_sleep(coact_in_ms(20)) == 0);
    COACT_CHECK(coact_started() == 0);
    toy_run(self, arg);
}

static void
never_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    (void)coact_sleep(COACT_FOREVER);
}

static void
broken_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    coact_fail(-EACCES, "no licence");
}

/* Leaves a file's worth of proof that it has cleaned up: its last word goes to
   whoever gave it an address. */
struct last_word {
    coact_ref to;
    int64_t linger_ms;
};
COACT_MESSAGE(last_word, (1, to), (2, linger_ms));
struct cleaned_up {
    int32_t pid;
};
COACT_MESSAGE(cleaned_up, (1, pid));
COACT_MAILBOX(keeper, cleaned_up);

static void
say_last_word(void *arg)
{
    const struct last_word *config = arg;
    keeper_ref keeper = {.ref = config->to};
    (void)coact_sleep(coact_in_ms(config->linger_ms));
    coact_send(keeper, cleaned_up, .pid = getpid());
}

static void
tidy_run(toy_self self, void *arg)
{
    COACT_CHECK(coact_defer(say_last_word, arg) == 0);
    toy_run(self, NULL);
}

static void
unlisted_run(toy_self self, void *arg)
{
    toy_run(self, arg);
}

static const struct coact_body bodies[] = {
    COACT_BODY_ARG(toy, toy_run, toy_config),
    COACT_BODY(toy, slow_run),
    COACT_BODY(toy, never_run),
    COACT_BODY(toy, broken_run),
    COACT_BODY_ARG(toy, tidy_run, last_word),
};

static const struct coact_program program = {
    .name = "isolated_test",
    .options = {.workers = 2, .node = {.heartbeat_ns = COACT_SECONDS(1)}},
    .bodies = bodies,
    .body_count = COUNT(bodies),
};

#define TOY(id, ...)                                                           \
    COACT_CHILD_ISOLATED(toy, id, toy_run, toy_config, NULL, __VA_ARGS__)

/* ---- Helpers ------------------------------------------------------------- */

static coact_supervisor_ref
supervise_one(const struct coact_child *child)
{
    const struct coact_supervisor spec = {.children = child, .child_count = 1};
    coact_supervisor_ref top;
    struct coact_reason why = {.code = 0};
    int rc = coact_supervise(&spec, SOON, &top, &why);
    ck_assert_msg(rc == 0, "supervise: %s: %s\n%.3000s", coact_strerror(rc),
                  why.text, world_log);
    return top;
}

static toy_ref
toy_of(coact_supervisor_ref top, const char *id)
{
    toy_ref toy;
    OK(coact_child_find(top, toy, id, &toy, SOON));
    return toy;
}

static int32_t
pid_of(toy_ref toy)
{
    struct toy_state state;
    OK(coact_ask(toy, who_are_you, &state, SOON, 0));
    ck_assert(coact_ref_equal(state.self, toy.ref));
    int32_t pid = state.pid;
    coact_message_destroy(COACT_TYPE(toy_state), &state);
    return pid;
}

struct looked {
    size_t ends;
    struct coact_reason reason;
    enum coact_child_state state;
    bool is_isolated;
    uint64_t restarts;
};

static bool
look_at(void *context, const struct coact_child_info *info)
{
    struct looked *looked = context;
    looked->ends = info->end_count;
    looked->state = info->state;
    looked->is_isolated = info->is_isolated;
    looked->restarts = info->restarts;
    if (info->end_count > 0) {
        looked->reason = info->ends[0].reason;
    }
    return false;
}

/* Wait until the child has ended `ends` times, and say how the last time. */
static struct looked
await_end(coact_supervisor_ref top, size_t ends)
{
    int64_t deadline_ns = SOON;
    for (;;) {
        struct looked looked = {.ends = 0};
        OK(coact_children(top, SOON, look_at, &looked));
        if (looked.ends >= ends) {
            return looked;
        }
        ck_assert_msg(coact_now_ns() < deadline_ns, "it does not end\n%.3000s",
                      world_log);
        OK(coact_sleep(coact_in_ms(2)));
    }
}

static void
stop(coact_supervisor_ref top)
{
    struct coact_reason why = {.code = 0};
    int rc = coact_supervisor_stop(top, SOON, &why);
    ck_assert_msg(rc == 0, "stop: %s: %s", coact_strerror(rc), why.text);
}

/* Blow a child up three times; each time a new one with a new address works. */
static void
blow_thrice(const struct coact_child *child, enum blow how, int code,
            const char *text)
{
    coact_supervisor_ref top = supervise_one(child);
    for (size_t i = 1; i <= 3; i++) {
        toy_ref toy = toy_of(top, child->id);
        int32_t pid = pid_of(toy);
        ck_assert_int_ne(pid, getpid());
        coact_send(toy, blow_up, .how = (int32_t)how);
        struct looked looked = await_end(top, i);
        ck_assert_int_eq(looked.reason.code, code);
        ck_assert_msg(strstr(looked.reason.text, text) != NULL, "%s",
                      looked.reason.text);
        ck_assert_msg(kill(pid, 0) != 0, "%d is not reaped", (int)pid);
        toy_ref next = toy_of(top, child->id);
        ck_assert(!coact_ref_equal(toy.ref, next.ref));
        ck_assert_int_ne(pid_of(next), pid);
    }
    stop(top);
}

/* ---- Ends ---------------------------------------------------------------- */

static int
play_segv(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    blow_thrice(&child, BY_SEGV, COACT_PROCESS_SIGNAL, "signal 11 (SIGSEGV)");
    return 0;
}

START_TEST(s49_an_isolated_child_that_dies_of_sigsegv_is_restarted)
{
    in_program(&program, play_segv);
}
END_TEST

static int
play_overflow(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    blow_thrice(&child, BY_OVERFLOW, COACT_PROCESS_SIGNAL, "signal 11");
    return 0;
}

START_TEST(s49_an_isolated_child_that_overflows_its_stack_is_restarted)
{
    in_program(&program, play_overflow);
}
END_TEST

static int
play_sigkill(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    blow_thrice(&child, BY_KILL, COACT_PROCESS_SIGNAL, "signal 9 (SIGKILL)");
    return 0;
}

START_TEST(s49_an_isolated_child_that_is_killed_is_restarted)
{
    in_program(&program, play_sigkill);
}
END_TEST

static int
play_exit_3(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    blow_thrice(&child, BY_EXIT_3, COACT_PROCESS_EXIT, "exit code 3");
    return 0;
}

START_TEST(s49_an_isolated_child_that_exits_with_3_is_restarted)
{
    in_program(&program, play_exit_3);
}
END_TEST

static int
play_exit_0(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    blow_thrice(&child, BY_EXIT_0, COACT_PROCESS_EXIT,
                "exited without saying why");
    return 0;
}

START_TEST(s49_an_isolated_child_that_exits_without_a_word_has_failed)
{
    in_program(&program, play_exit_0);
}
END_TEST

static int
play_hang(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .hang_ns = COACT_MS(200));
    blow_thrice(&child, BY_HANG, COACT_UNRESPONSIVE, "hang: nothing ran for");
    return 0;
}

START_TEST(s49_an_isolated_child_that_hangs_is_restarted)
{
    in_program(&program, play_hang);
}
END_TEST

START_TEST(s49_an_isolated_child_that_hangs_on_its_only_core_is_restarted)
{
    struct coact_program one_core = program;
    one_core.options.workers = 1;
    in_program(&one_core, play_hang);
}
END_TEST

static int
play_idle(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .hang_ns = COACT_MS(500));
    coact_supervisor_ref top = supervise_one(&child);
    int32_t pid = pid_of(toy_of(top, "toy"));
    OK(coact_sleep(coact_in_ms(1200)));
    ck_assert_int_eq(pid_of(toy_of(top, "toy")), pid);
    stop(top);
    return 0;
}

START_TEST(an_isolated_child_that_only_waits_does_not_hang)
{
    in_program(&program, play_idle);
}
END_TEST

static int
play_failure(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    blow_thrice(&child, BY_FAILURE, -EIO, "blown");
    return 0;
}

START_TEST(an_isolated_child_that_fails_says_why)
{
    in_program(&program, play_failure);
}
END_TEST

static int
play_return(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    coact_supervisor_ref top = supervise_one(&child);
    coact_send(toy_of(top, "toy"), blow_up, .how = BY_RETURN);
    struct looked looked = await_end(top, 1);
    ck_assert_int_eq(looked.reason.code, COACT_NORMAL);
    ck_assert_int_eq(looked.state, COACT_CHILD_STOPPED);
    ck_assert(looked.is_isolated);
    toy_ref toy;
    ck_assert_int_eq(coact_child_find(top, toy, "toy", &toy, SOON), -ESRCH);
    stop(top);
    return 0;
}

START_TEST(s49_an_isolated_child_that_ends_normally_stays_ended)
{
    in_program(&program, play_return);
}
END_TEST

/* ---- Life ---------------------------------------------------------------- */

static int
play_argument(int argc, char **argv)
{
    (void)argc, (void)argv;
    int32_t numbers[] = {1, 20, 300};
    char title[] = "gr\xc3\xbc\xc3\x9f dich";
    struct toy_config config = {.title = {title, sizeof(title) - 1},
                                .number = INT64_C(-5000000000)};
    config.list.data = numbers;
    config.list.count = COUNT(numbers);
    const struct coact_child child = COACT_CHILD_ISOLATED(
        toy, "toy", toy_run, toy_config, &config, .shutdown_ns = 0);
    coact_supervisor_ref top = supervise_one(&child);
    config = (struct toy_config){.number = 1}; // it was copied
    for (size_t i = 1; i <= 2; i++) {
        struct toy_state state;
        toy_ref toy = toy_of(top, "toy");
        OK(coact_ask(toy, who_are_you, &state, SOON, 0));
        ck_assert_str_eq(coact_text_cstr(state.title), title);
        ck_assert_int_eq(state.number, INT64_C(-5000000000));
        ck_assert_int_eq(state.sum, 321);
        coact_message_destroy(COACT_TYPE(toy_state), &state);
        coact_send(toy, blow_up, .how = BY_KILL);
        (void)await_end(top, i);
    }
    stop(top);
    return 0;
}

START_TEST(the_argument_of_an_isolated_child_arrives_each_time)
{
    in_program(&program, play_argument);
}
END_TEST

static int
play_siblings(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child children[] = {
        TOY("a", .hang_ns = 0), TOY("b", .hang_ns = 0), TOY("c", .hang_ns = 0)};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = COUNT(children)};
    coact_supervisor_ref top;
    OK(coact_supervise(&spec, SOON, &top, NULL));
    toy_ref a = toy_of(top, "a");
    toy_ref c = toy_of(top, "c");
    int32_t pid = pid_of(c);
    // The link between two siblings comes up behind our back.
    int64_t deadline_ns = SOON;
    struct met met = {.rc = -1};
    while (met.rc != 0 && coact_now_ns() < deadline_ns) {
        OK(coact_ask(a, meet, &met, SOON, .other = c.ref));
    }
    ck_assert_msg(met.rc == 0, "%s", coact_strerror(met.rc));
    ck_assert_int_eq(met.pid, pid);
    stop(top);
    return 0;
}

START_TEST(isolated_siblings_reach_each_other)
{
    in_program(&program, play_siblings);
}
END_TEST

static int
play_init(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child slow = {.id = "slow",
                                            .isolated = true,
                                            .wait_init = true,
                                            .mailbox = &toy_coact_mailbox,
                                            .body = (void (*)(void))slow_run};
    coact_supervisor_ref top = supervise_one(&slow);
    ck_assert_int_gt(pid_of(toy_of(top, "slow")), 0);
    stop(top);

    static const struct coact_child never = {.id = "never",
                                             .isolated = true,
                                             .wait_init = true,
                                             .start_ns = COACT_MS(400),
                                             .mailbox = &toy_coact_mailbox,
                                             .body = (void (*)(void))never_run};
    const struct coact_supervisor spec = {.children = &never, .child_count = 1};
    struct coact_reason why;
    ck_assert_int_eq(coact_supervise(&spec, SOON, &top, &why), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(why.text, "never"));

    static const struct coact_child broken = {.id = "broken",
                                              .isolated = true,
                                              .wait_init = true,
                                              .mailbox = &toy_coact_mailbox,
                                              .body =
                                                  (void (*)(void))broken_run};
    const struct coact_supervisor with_broken = {.children = &broken,
                                                 .child_count = 1};
    ck_assert_int_eq(coact_supervise(&with_broken, SOON, &top, &why), -EACCES);
    ck_assert_ptr_nonnull(strstr(why.text, "no licence"));
    return 0;
}

START_TEST(an_isolated_child_may_say_when_it_has_started)
{
    in_program(&program, play_init);
}
END_TEST

/* ---- Stopping ------------------------------------------------------------ */

struct keeper_state {
    _Atomic int32_t pid;
};

static void
keeper_run(keeper_self self, void *arg)
{
    struct keeper_state *state = arg;
    COACT_RECEIVE(self, SOON) {
    case COACT_ON(cleaned_up, m): {
        state->pid = m->pid;
    } break;
    case COACT_ON_TIMEOUT:
        break;
    }
}

static int
play_shutdown(int argc, char **argv)
{
    (void)argc, (void)argv;
    static struct keeper_state state;
    keeper_ref keeper;
    OK(coact_spawn(keeper, &keeper, keeper_run, &state));
    struct last_word config = {.to = keeper.ref, .linger_ms = 30};
    const struct coact_child child = COACT_CHILD_ISOLATED(
        toy, "tidy", tidy_run, last_word, &config, .hang_ns = 0);
    coact_supervisor_ref top = supervise_one(&child);
    int32_t pid = pid_of(toy_of(top, "tidy"));
    OK(coact_child_terminate(top, "tidy", SOON));
    ck_assert_msg(kill(pid, 0) != 0, "it is still there");
    struct looked looked = await_end(top, 1);
    ck_assert_int_eq(looked.reason.code, COACT_SHUTDOWN);
    OK(coact_join(keeper.ref, SOON, NULL));
    ck_assert_int_eq(state.pid, pid);
    stop(top);
    return 0;
}

START_TEST(an_isolated_child_cleans_up_within_its_grace)
{
    in_program(&program, play_shutdown);
}
END_TEST

static int
play_stubborn(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child children[] = {
        TOY("brutal", .shutdown_ns = COACT_BRUTAL_KILL),
        TOY("late", .shutdown_ns = COACT_MS(100))};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = COUNT(children)};
    coact_supervisor_ref top;
    OK(coact_supervise(&spec, SOON, &top, NULL));
    int32_t brutal = pid_of(toy_of(top, "brutal"));
    toy_ref late = toy_of(top, "late");
    int32_t late_pid = pid_of(late);
    coact_send(late, blow_up, .how = BY_HANG);
    OK(coact_child_terminate(top, "late", SOON));
    ck_assert_int_ne(kill(late_pid, 0), 0);
    OK(coact_child_terminate(top, "brutal", SOON));
    ck_assert_int_ne(kill(brutal, 0), 0);
    stop(top);
    return 0;
}

START_TEST(an_isolated_child_that_does_not_end_is_killed)
{
    in_program(&program, play_stubborn);
}
END_TEST

static int
play_kill(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    coact_supervisor_ref top = supervise_one(&child);
    toy_ref toy = toy_of(top, "toy");
    int32_t pid = pid_of(toy);
    OK(coact_kill(toy.ref));
    ck_assert_int_eq(await_end(top, 1).reason.code, COACT_KILLED);
    ck_assert_int_ne(kill(pid, 0), 0);
    ck_assert_int_ne(pid_of(toy_of(top, "toy")), pid);
    // The whole tree goes with its supervisor, and so do processes.
    pid = pid_of(toy_of(top, "toy"));
    OK(coact_kill(top.ref));
    OK(coact_join(top.ref, SOON, NULL));
    return 0;
}

START_TEST(an_isolated_child_can_be_killed_by_its_address)
{
    in_program(&program, play_kill);
}
END_TEST

static int
play_forgotten(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child children[] = {TOY("a", .hang_ns = 0),
                                                  TOY("b", .hang_ns = 0)};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = COUNT(children)};
    coact_supervisor_ref top;
    OK(coact_supervise(&spec, SOON, &top, NULL));
    return 0;
}

START_TEST(isolated_children_end_with_the_program)
{
    in_program(&program, play_forgotten);
}
END_TEST

/* ---- What does not start ------------------------------------------------- */

static int
play_unlisted(int argc, char **argv)
{
    (void)argc, (void)argv;
    coact_supervisor_ref top;
    struct coact_reason why;
    struct coact_child child = {.id = "unlisted",
                                .isolated = true,
                                .mailbox = &toy_coact_mailbox,
                                .body = (void (*)(void))unlisted_run};
    const struct coact_supervisor spec = {.children = &child, .child_count = 1};
    ck_assert_int_eq(coact_supervise(&spec, SOON, &top, &why), -ENOENT);
    LOGGED("its body is not in the program's table");
    struct last_word wrong = {.linger_ms = 1};
    child.body = (void (*)(void))toy_run;
    child.arg = &wrong;
    child.arg_type = COACT_TYPE(last_word);
    ck_assert_int_eq(coact_supervise(&spec, SOON, &top, &why), -EINVAL);
    LOGGED("its argument is a last_word");
    return 0;
}

START_TEST(an_isolated_child_must_be_in_the_table)
{
    in_program(&program, play_unlisted);
}
END_TEST

START_TEST(without_coact_main_there_are_no_isolated_children)
{
    const struct coact_runtime_options options = {.log = world_sink};
    const struct coact_child child = TOY("toy", .hang_ns = 0);
    const struct coact_supervisor spec = {.children = &child, .child_count = 1};
    struct coact_runtime *runtime;
    coact_supervisor_ref top;
    OK(coact_start(&options, &runtime));
    OK(coact_attach(runtime));
    ck_assert_int_eq(coact_supervise(&spec, SOON, &top, NULL), -ENOTSUP);
    coact_detach();
    OK(coact_stop(runtime, SOON));
    OK(coact_free(runtime));
    LOGGED("run by coact_main");
}
END_TEST

int
main(int argc, char **argv)
{
    if (coact__process_is_child(argc, argv)) {
        return coact_main(argc, argv, &program);
    }
    const TTest *tests[] = {
        s49_an_isolated_child_that_dies_of_sigsegv_is_restarted,
        s49_an_isolated_child_that_overflows_its_stack_is_restarted,
        s49_an_isolated_child_that_is_killed_is_restarted,
        s49_an_isolated_child_that_exits_with_3_is_restarted,
        s49_an_isolated_child_that_exits_without_a_word_has_failed,
        s49_an_isolated_child_that_hangs_is_restarted,
        s49_an_isolated_child_that_hangs_on_its_only_core_is_restarted,
        s49_an_isolated_child_that_ends_normally_stays_ended,
        an_isolated_child_that_only_waits_does_not_hang,
        an_isolated_child_that_fails_says_why,
        the_argument_of_an_isolated_child_arrives_each_time,
        isolated_siblings_reach_each_other,
        an_isolated_child_may_say_when_it_has_started,
        an_isolated_child_cleans_up_within_its_grace,
        an_isolated_child_that_does_not_end_is_killed,
        an_isolated_child_can_be_killed_by_its_address,
        isolated_children_end_with_the_program,
        an_isolated_child_must_be_in_the_table,
        without_coact_main_there_are_no_isolated_children,
    };
    return suite_main(argc, argv, "isolated", tests, COUNT(tests));
}
