/*
 * overflow_refused_test.c - with COACT_OVERFLOW_KILL_ACTOR: what is no overflow,
 * or would leave something half done, ends the process, which says why.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/dig.h"
#include "test/actors/program.h"

#include "actors/life.h"
#include "runtime/memory.h"
#include "test/support/death.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Actors -------------------------------------------------------------- */

static void
fault_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    volatile uintptr_t nowhere =
        64; // not NULL, of which a compiler makes a trap
    *(volatile int *)nowhere = 1;
}

static void
dig_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig();
}

static volatile char *
own_guard(void)
{
    return (char *)coact__actor_here()->task.stack.low - 8;
}

static void
own_guard_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    *own_guard() = 1;
}

static volatile char *volatile others_guard;

static void
victim_run(toy_self self, void *arg)
{
    others_guard = own_guard();
    idle_run(self, arg);
}

static void
others_guard_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    toy_ref victim;
    struct toy_is is;
    COACT_CHECK(coact_spawn(toy, &victim, victim_run, NULL) == 0);
    COACT_CHECK(coact_ask(victim, who, &is, SOON, 0) == 0); // it has begun
    *others_guard = 1;
}

static void
printf_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig_in_printf();
}

static void
qsort_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig_in_qsort();
}

static bool
dig_at_each(void *context, const struct coact_actor_info *info)
{
    (void)context, (void)info;
    return dig() == 0;
}

static void
each_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    coact_each_actor(coact_runtime_here(), dig_at_each, NULL);
}

static void
dig_in_clean_up(void *arg)
{
    (void)arg;
    say("in a clean-up");
    (void)dig();
}

static void
cleanup_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    COACT_CHECK(coact_defer(say_cleaned, NULL) == 0);
    COACT_CHECK(coact_defer(dig_in_clean_up, NULL) == 0);
    (void)dig();
}

/* The next stack is to be cut, and has a guard then: that fails. */
static void
no_stack_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    COACT_CHECK(coact_defer(say_cleaned, NULL) == 0);
    coact__fail_nth(1, true);
    (void)dig();
}

/* What a walk over the stack needs is overwritten: where the next frame is. */
__attribute__((noinline)) static int
ruin_and_dig(void)
{
    uintptr_t *frame = __builtin_frame_address(0);
    frame[0] = 24;
    __asm__ volatile("" : : "r"(frame) : "memory");
    return dig();
}

__attribute__((noinline)) static int
ruined_caller(void)
{
    volatile int depth = ruin_and_dig(); // so that this frame stays
    return depth + 1;
}

static void
ruin_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)ruined_caller();
}

/* ---- Mains --------------------------------------------------------------- */

#define MAIN(name, body)                                                       \
    static int name(int argc, char **argv)                                     \
    {                                                                          \
        (void)argc, (void)argv;                                                \
        return spawn_and_wait(body, "digger");                                 \
    }

MAIN(main_fault, fault_run)
MAIN(main_own_guard, own_guard_run)
MAIN(main_others_guard, others_guard_run)
MAIN(main_printf, printf_run)
MAIN(main_qsort, qsort_run)
MAIN(main_each, each_run)
MAIN(main_cleanup, cleanup_run)
MAIN(main_no_stack, no_stack_run)
MAIN(main_ruin, ruin_run)

static int
main_destroy(int argc, char **argv)
{
    (void)argc, (void)argv;
    toy_ref toy;
    COACT_CHECK(coact_spawn_with(toy, &toy, idle_run, NULL, .label = "digger",
                                 .destroy_arg = dig_in_clean_up) == 0);
    coact_kill(toy.ref);
    return coact_sleep(COACT_FOREVER) == -ECANCELED ? 0 : 6;
}

static int
main_digs(int argc, char **argv)
{
    (void)argc, (void)argv;
    return dig();
}

static void
run_to_its_end(struct run *run, int (*fn)(int argc, char **argv))
{
    struct coact_program program = program_of(fn);
    program.options.on_stack_overflow = COACT_OVERFLOW_KILL_ACTOR;
    start_plain(run, &program);
    await_end(run);
}

/* The process ends by this signal, and says this and that. */
static void
ck_ends(int (*fn)(int argc, char **argv), int sig, const char *this_,
        const char *that)
{
    struct run run;
    run_to_its_end(&run, fn);
    ck_assert_msg(WIFSIGNALED(run.status) && WTERMSIG(run.status) == sig,
                  "status %x\n%.3000s", (unsigned)run.status, run.said);
    SAID(&run, this_);
    SAID(&run, that);
}

/* ---- What is no overflow ------------------------------------------------- */

START_TEST(s15_a_fault_elsewhere_still_ends_the_process)
{
    ck_ends(main_fault, SIGSEGV, "signal 11 (SIGSEGV) at address 0x40",
            "in actor digger (");
}
END_TEST

START_TEST(s15_a_stray_access_to_a_guard_ends_the_process)
{
    ck_ends(main_own_guard, SIGSEGV,
            "wild access to the guard of its own stack, by actor digger",
            "not contained: it is no overflow");
    ck_ends(main_others_guard, SIGSEGV,
            "wild access to the guard of a stack, by actor digger",
            "in actor digger (");
}
END_TEST

/* ---- What is none of the actor's own code -------------------------------- */

/* It names the library. */
static void
ck_blames_the_C_library(int (*fn)(int argc, char **argv))
{
    static const char words[] =
        "not contained: code that is not the program's has not finished, at\n";
    struct run run;
    run_to_its_end(&run, fn);
    ck_assert(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGSEGV);
    SAID(&run, "stack overflow of actor digger, stack ");
    SAID(&run, words);
    const char *line = strstr(run.said, words) + strlen(words);
    const char *name = strstr(line, "/libc.so");
    ck_assert_msg(name != NULL && name < strchr(line, '\n'), "%.200s", line);
}

START_TEST(s15_an_overflow_inside_the_C_library_ends_the_process)
{
    ck_blames_the_C_library(main_printf);
}
END_TEST

START_TEST(s15_an_overflow_below_a_call_of_the_C_library_ends_the_process)
{
    ck_blames_the_C_library(main_qsort);
}
END_TEST

START_TEST(s15_an_overflow_below_a_call_of_coact_ends_the_process)
{
    ck_ends(main_each, SIGSEGV, "stack overflow of actor digger, stack ",
            "not contained: coact itself is in the middle of something");
    ck_ends(main_digs, SIGSEGV, "stack overflow of actor main, stack ",
            "not contained: coact itself is in the middle of something");
    ck_ends(main_destroy, SIGSEGV, "stack overflow of actor digger, stack ",
            "not contained: the actor's end could not be completed");
}
END_TEST

/* ---- What went wrong before ---------------------------------------------- */

START_TEST(s15_an_overflow_while_ending_by_one_ends_the_process)
{
    struct run run;
    run_to_its_end(&run, main_cleanup);
    ck_assert(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGSEGV);
    SAID(&run, "not contained: the actor was ending because of one already");
    const char *first = strstr(run.said, "in a clean-up");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "in a clean-up")); // once
}
END_TEST

START_TEST(s15_without_a_stack_for_the_clean_ups_the_process_ends)
{
    ck_ends(main_no_stack, SIGABRT,
            "and no stack for its clean-ups: ", "in actor digger (");
}
END_TEST

START_TEST(s15_a_stack_in_ruins_ends_the_process_with_a_report)
{
    ck_ends(main_ruin, SIGSEGV, "stack overflow of actor digger, stack ",
            "not contained: the stack cannot be read");
}
END_TEST

/* ---- Embedders ----------------------------------------------------------- */

static struct coact_runtime *
start_runtime(enum coact_on_stack_overflow on_stack_overflow)
{
    const struct coact_runtime_options options = {
        .workers = 2, .on_stack_overflow = on_stack_overflow};
    struct coact_runtime *runtime = NULL;
    if (coact_start(&options, &runtime) != 0) {
        abort();
    }
    return runtime;
}

static void
run_and_join(struct coact_runtime *runtime, toy_coact_body *body)
{
    toy_ref toy;
    if (coact_attach(runtime) != 0 || coact_spawn(toy, &toy, body, NULL) != 0 ||
        coact_join(toy.ref, SOON, NULL) != 0) {
        abort();
    }
    coact_detach();
}

enum { HOST_SAW_FAULT = 3, HOST_SAW_GUARD = 4 };

static void
host_handler(int sig, siginfo_t *info, void *context)
{
    (void)context;
    _exit(sig != SIGSEGV                ? 1
          : info->si_addr == (void *)64 ? HOST_SAW_FAULT
                                        : HOST_SAW_GUARD);
}

static void
install_host_handler(void)
{
    const struct sigaction action = {.sa_sigaction = host_handler,
                                     .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
}

static void
contained_then_fault(void *arg)
{
    (void)arg;
    install_host_handler();
    struct coact_runtime *runtime = start_runtime(COACT_OVERFLOW_KILL_ACTOR);
    run_and_join(runtime, dig_run);
    run_and_join(runtime, fault_run);
}

static void
refused(void *arg)
{
    (void)arg;
    install_host_handler();
    run_and_join(start_runtime(COACT_OVERFLOW_KILL_ACTOR), printf_run);
}

START_TEST(s15_what_is_not_contained_goes_to_the_handler_that_was_there)
{
    ck_assert_int_eq(death_of(contained_then_fault, NULL), -HOST_SAW_FAULT);
    ck_assert_int_eq(death_of(refused, NULL), -HOST_SAW_GUARD);
}
END_TEST

/* A host that drives the runtime has brought a signal stack of its own. */
static void
small_signal_stack(void *arg)
{
    (void)arg;
    static char memory[8 << 10];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
    if (sigaltstack(&stack, NULL) != 0) {
        _exit(HOST_SAW_GUARD); // this processor's registers do not fit there
    }
    install_host_handler();
    const struct coact_runtime_options options = {
        .host_driven = true, .on_stack_overflow = COACT_OVERFLOW_KILL_ACTOR};
    struct coact_runtime *runtime;
    if (coact_start(&options, &runtime) == 0) {
        run_and_join(runtime, dig_run);
    }
}

START_TEST(s15_a_signal_stack_that_is_too_small_is_not_overrun)
{
    ck_assert_int_eq(death_of(small_signal_stack, NULL), -HOST_SAW_GUARD);
}
END_TEST

/* Nobody was there: the kernel's own way, also for what somebody sends. */
static void
refused_without_handler(void *arg)
{
    (void)arg;
    run_and_join(start_runtime(COACT_OVERFLOW_KILL_ACTOR), printf_run);
}

static void
sent(void *arg)
{
    (void)arg;
    (void)start_runtime(COACT_OVERFLOW_KILL_ACTOR);
    kill(getpid(), SIGSEGV);
}

static void
sent_and_ignored(void *arg)
{
    signal(SIGSEGV, SIG_IGN);
    sent(arg);
}

START_TEST(s15_without_another_handler_the_kernel_does_as_ever)
{
    ck_assert_int_eq(death_of(refused_without_handler, NULL), SIGSEGV);
    ck_assert_int_eq(death_of(sent, NULL), SIGSEGV);
    ck_assert_int_eq(death_of(sent_and_ignored, NULL), 0);
}
END_TEST

/* Only the runtime that asked for it. */
static void
two_runtimes(void *arg)
{
    struct coact_runtime *kills = start_runtime(COACT_OVERFLOW_KILL_ACTOR);
    struct coact_runtime *aborts = start_runtime(COACT_OVERFLOW_ABORT);
    run_and_join(kills, dig_run);
    if (arg != NULL) {
        run_and_join(aborts, dig_run);
    }
}

START_TEST(s15_a_runtime_that_has_not_asked_contains_nothing)
{
    static int yes;
    ck_assert_int_eq(death_of(two_runtimes, NULL), 0);
    ck_assert_int_eq(death_of(two_runtimes, &yes), SIGSEGV);
}
END_TEST

/* In either order. */
static void
with_a_report(void *arg)
{
    struct coact_runtime *first = start_runtime(COACT_OVERFLOW_ABORT);
    if (arg == NULL && coact_install_crash_report(first, "host") != 0) {
        abort();
    }
    struct coact_runtime *runtime = start_runtime(COACT_OVERFLOW_KILL_ACTOR);
    if (arg != NULL && coact_install_crash_report(first, "host") != 0) {
        abort();
    }
    run_and_join(runtime, dig_run);
}

START_TEST(s15_the_crash_report_may_be_asked_for_before_or_after)
{
    static int after;
    ck_assert_int_eq(death_of(with_a_report, NULL), 0);
    ck_assert_int_eq(death_of(with_a_report, &after), 0);
}
END_TEST

SUITE_MAIN("overflow_refused", s15_a_fault_elsewhere_still_ends_the_process,
           s15_a_stray_access_to_a_guard_ends_the_process,
           s15_an_overflow_inside_the_C_library_ends_the_process,
           s15_an_overflow_below_a_call_of_the_C_library_ends_the_process,
           s15_an_overflow_below_a_call_of_coact_ends_the_process,
           s15_an_overflow_while_ending_by_one_ends_the_process,
           s15_without_a_stack_for_the_clean_ups_the_process_ends,
           s15_a_stack_in_ruins_ends_the_process_with_a_report,
           s15_what_is_not_contained_goes_to_the_handler_that_was_there,
           s15_a_signal_stack_that_is_too_small_is_not_overrun,
           s15_without_another_handler_the_kernel_does_as_ever,
           s15_a_runtime_that_has_not_asked_contains_nothing,
           s15_the_crash_report_may_be_asked_for_before_or_after)
