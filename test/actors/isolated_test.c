/*
 * isolated_test.c - a child in a process of its own is a child: it is started,
 * talked to and stopped by the same rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/isolated_toy.h"

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
play_news(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    coact_supervisor_ref top = supervise_one(&child);
    toy_ref toy = toy_of(top, "toy");
    toy_self self = {.ref = coact_self()};
    coact_monitor_id id;
    OK(coact_monitor(toy.ref, &id));
    ck_assert_int_eq(kill(pid_of(toy), SIGKILL), 0);
    // The link breaks first; what is told is why the process ended.
    struct coact_reason reason = {0};
    COACT_RECEIVE(self, SOON) {
    case COACT_ON_DOWN(d):
        reason = d->reason;
        break;
    }
    ck_assert_int_eq(reason.code, COACT_PROCESS_SIGNAL);
    ck_assert_str_eq(reason.text, "signal 9 (SIGKILL)");
    stop(top);
    return 0;
}

START_TEST(s49_who_watches_the_body_is_told_how_its_process_ended)
{
    in_program(&program, play_news);
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

static int
play_pinned(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child alone = {.id = "alone",
                                             .isolated = true,
                                             .wait_init = true,
                                             .mailbox = &toy_coact_mailbox,
                                             .body = (void (*)(void))alone_run,
                                             .options = {.pinned = true}};
    coact_supervisor_ref top = supervise_one(&alone);
    ck_assert_int_gt(pid_of(toy_of(top, "alone")), 0);
    stop(top);
    return 0;
}

START_TEST(an_isolated_child_may_be_pinned_in_its_process)
{
    in_program(&program, play_pinned);
}
END_TEST

/* A crash in the middle of a call, or seen by a send that is refused. */
static void
see_it_die(toy_ref toy, bool by_a_call)
{
    coact_send(toy, blow_up, .how = BY_KILL);
    if (by_a_call) {
        struct toy_state state;
        ck_assert_int_lt(coact_ask(toy, who_are_you, &state, SOON, 0), 0);
        return;
    }
    int64_t deadline_ns = SOON;
    while (coact_send(toy, blow_up, .how = BY_KILL) == 0) {
        ck_assert_int_lt(coact_now_ns(), deadline_ns);
        OK(coact_sleep(coact_now_ns() + 100000));
    }
}

static int
play_crashes(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    const struct coact_supervisor spec = {.children = &child,
                                          .child_count = 1,
                                          .intensity = COACT_RESTART_FOREVER};
    coact_supervisor_ref top;
    OK(coact_supervise(&spec, SOON, &top, NULL));
    int32_t pid = pid_of(toy_of(top, "toy"));
    for (int i = 0; i < 30; i++) {
        see_it_die(toy_of(top, "toy"), i % 2 == 0);
        int32_t next = pid_of(toy_of(top, "toy"));
        ck_assert_int_ne(next, pid);
        pid = next;
    }
    stop(top);
    return 0;
}

START_TEST(who_has_seen_an_isolated_child_die_is_not_given_it_again)
{
    in_program(&program, play_crashes);
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

static void
unlisted_run(toy_self self, void *arg)
{
    toy_run(self, arg);
}

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
    const TTest *tests[] = {
        the_argument_of_an_isolated_child_arrives_each_time,
        isolated_siblings_reach_each_other,
        s49_who_watches_the_body_is_told_how_its_process_ended,
        an_isolated_child_may_say_when_it_has_started,
        an_isolated_child_may_be_pinned_in_its_process,
        who_has_seen_an_isolated_child_die_is_not_given_it_again,
        an_isolated_child_cleans_up_within_its_grace,
        an_isolated_child_that_does_not_end_is_killed,
        an_isolated_child_can_be_killed_by_its_address,
        isolated_children_end_with_the_program,
        an_isolated_child_must_be_in_the_table,
        without_coact_main_there_are_no_isolated_children,
    };
    return toy_main(argc, argv, "isolated", tests, COUNT(tests));
}
