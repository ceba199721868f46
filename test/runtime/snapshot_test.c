/*
 * snapshot_test.c - threads that compute, sleep, switch and do not answer, looked
 * at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/altstack.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "test/runtime/snapshot_support.h"
#include "test/support/death.h"
#include "test/support/suite.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

START_TEST(a_coroutine_that_spins_is_found_by_its_functions_names)
{
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_coroutine);
    void *frames[FRAMES];
    int count = take(tid, frames);
    struct text text = print(frames, count);
    must_name(&text, "spin_until_over");
    must_name(&text, "function_that_is_static");
    must_name(&text, "coroutine_that_spins");
    // The walk ends where the coroutine began.
    struct text last = print(&frames[count - 1], 1);
    must_name(&last, "coact__context_start");
    ck_assert_int_le(count, 8);
    end(subject.thread);
}
END_TEST

START_TEST(the_first_frame_is_where_the_thread_stands)
{
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_spin);
    int hits = 0;
    // It may also have been met in what it calls.
    for (int i = 0; i < 200 && hits == 0; i++) {
        void *frame;
        ck_assert_int_eq(coact__snapshot_take(tid, &frame, 1, PATIENCE_NS), 1);
        uintptr_t into = (uintptr_t)frame - (uintptr_t)&spin_until_over;
        hits += into < 256;
    }
    ck_assert_int_gt(hits, 0);
    end(subject.thread);
}
END_TEST

START_TEST(a_thread_blocked_in_read_is_found_there_and_reads_on)
{
    must_install();
    static struct subject subject;
    ck_assert_int_eq(pipe(subject.pipe), 0);
    pid_t tid = start(&subject, run_read);
    for (int i = 0; i < 20; i++) {
        await_call(tid, SYS_read);
        void *frames[FRAMES];
        int count = take(tid, frames);
        struct text text = print(frames, count);
        must_name(&text, "read_for_ever");
    }
    await_call(tid, SYS_read);
    ck_assert_int_eq(write(subject.pipe[1], "ab", 2), 2);
    pthread_join(subject.thread, NULL);
}
END_TEST

START_TEST(a_thread_can_look_at_itself)
{
    must_install();
    void *frames[FRAMES];
    int count = take(gettid(), frames);
    struct text text = print(frames, count);
    must_name(&text, "coact__snapshot_take");
}
END_TEST

/* ---- Time-outs ----------------------------------------------------------- */

/* Deaf in phase 0; counts what has gathered in phase 1; hears in phase 2. */
static void *
run_deaf(void *arg)
{
    struct subject *subject = arg;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGNAL);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    say_tid(subject);
    while (atomic_load_explicit(&subject->phase, memory_order_acquire) == 0) {
        sched_yield();
    }
    coact__snapshot_admit();
    spin_until_over(subject);
    return NULL;
}

static bool
is_untouched(void *const *frames)
{
    for (int i = 0; i < FRAMES; i++) {
        if (frames[i] != (const void *)frames) {
            return false;
        }
    }
    return true;
}

static unsigned long
queued_signals(pid_t tid)
{
    char path[64];
    char line[128];
    unsigned long pending = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "SigQ:", 5) == 0) {
            pending = strtoul(line + 5, NULL, 10);
        }
    }
    fclose(file);
    return pending;
}

START_TEST(a_thread_that_blocks_the_signal_is_a_time_out_and_no_late_answer)
{
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_deaf);
    void *frames[FRAMES];
    for (int i = 0; i < FRAMES; i++) {
        frames[i] = (void *)frames;
    }
    for (int i = 0; i < 30; i++) {
        int64_t before = coact__oracle_now_ns();
        ck_assert_int_eq(coact__snapshot_take(tid, frames, FRAMES, 2 * MS),
                         -ETIMEDOUT);
        ck_assert_int_ge(coact__oracle_now_ns() - before, 2 * MS);
    }
    // The count is the user's: others may queue a few.
    ck_assert_uint_lt(queued_signals(tid), 20);
    atomic_store_explicit(&subject.phase, 1, memory_order_release);
    void *later[FRAMES];
    struct text text = print(later, take(tid, later));
    must_name(&text, "run_deaf");
    ck_assert(is_untouched(frames));
    end(subject.thread);
}
END_TEST

START_TEST(takers_without_patience_leave_nothing_behind)
{
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_coroutine);
    void *frames[FRAMES];
    int answers = 0;
    // All the moments in which a taker may give up.
    for (int i = 0; i < 3000; i++) {
        int64_t timeout = (i % 100) * 2000 - 1;
        int count = coact__snapshot_take(tid, frames, FRAMES, timeout);
        ck_assert_msg(count > 0 || count == -ETIMEDOUT, "take: %d", count);
        answers += count > 0;
    }
    for (int i = 0; i < 20; i++) {
        answers += take(tid, frames) > 0;
    }
    ck_assert_int_ge(answers, 20);
    end(subject.thread);
}
END_TEST

/* ---- Many ---------------------------------------------------------------- */

START_TEST(many_takes_in_a_row_all_find_the_spinning_function)
{
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_coroutine);
    for (int i = 0; i < 1000; i++) {
        void *frames[FRAMES];
        int count = take(tid, frames);
        ck_assert(
            has_frame_in(frames, count, (uintptr_t)&coroutine_that_spins));
    }
    end(subject.thread);
}
END_TEST

enum { TAKERS = 6, TAKES = 200 };

static _Atomic pid_t looked_at[2];

static void *
take_many(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;
    for (int i = 0; i < TAKES; i++) {
        void *frames[FRAMES];
        size_t which = (me + (size_t)i) % 2;
        int count =
            take(atomic_load_explicit(&looked_at[which], memory_order_relaxed),
                 frames);
        ck_assert(has_frame_in(frames, count,
                               which == 0 ? (uintptr_t)&coroutine_that_spins
                                          : (uintptr_t)&run_spin));
    }
    return NULL;
}

/* More of them than there are cells, at two threads. */
START_TEST(takers_at_once_get_each_the_frames_of_the_thread_they_asked)
{
    must_install();
    static struct subject first;
    static struct subject second;
    looked_at[0] = start(&first, run_coroutine);
    looked_at[1] = start(&second, run_spin);
    pthread_t takers[TAKERS];
    for (uintptr_t i = 0; i < TAKERS; i++) {
        ck_assert_int_eq(pthread_create(&takers[i], NULL, take_many, (void *)i),
                         0);
    }
    for (size_t i = 0; i < TAKERS; i++) {
        pthread_join(takers[i], NULL);
    }
    end(first.thread);
    end(second.thread);
}
END_TEST

static void *
take_from_deaf(void *arg)
{
    void *frames[FRAMES];
    pid_t tid = *(const pid_t *)arg;
    ck_assert_int_eq(coact__snapshot_take(tid, frames, FRAMES, 200 * MS),
                     -ETIMEDOUT);
    return NULL;
}

/* All cells wait for a thread that does not answer. */
START_TEST(a_taker_that_finds_no_cell_gets_one_that_others_give_up)
{
    must_install();
    static struct subject deaf;
    static struct subject other;
    pid_t deaf_tid = start(&deaf, run_deaf);
    pid_t tid = start(&other, run_spin);
    pthread_t takers[TAKERS];
    for (size_t i = 0; i < TAKERS; i++) {
        ck_assert_int_eq(
            pthread_create(&takers[i], NULL, take_from_deaf, &deaf_tid), 0);
    }
    for (int i = 0; i < 5; i++) {
        int64_t before = coact__oracle_now_ns();
        void *frames[FRAMES];
        take(tid, frames);
        ck_assert_int_lt(coact__oracle_now_ns() - before, PATIENCE_NS / 2);
    }
    for (size_t i = 0; i < TAKERS; i++) {
        pthread_join(takers[i], NULL);
    }
    atomic_store_explicit(&deaf.phase, 1, memory_order_release);
    end(deaf.thread);
    end(other.thread);
}
END_TEST

/* Interrupted anywhere in a switch, also where it stands on no stack that the
   tables know. */
static void
switch_back(void *arg, void *pass)
{
    (void)pass;
    struct subject *subject = arg;
    for (;;) {
        coact__context_switch(&subject->guest, &subject->home, NULL);
    }
}

static void *
run_switches(void *arg)
{
    struct subject *subject = arg;
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(stack, MAP_FAILED);
    coact__context_init_thread(&subject->home);
    coact__context_make(&subject->guest, stack, STACK, switch_back, subject);
    say_tid(subject);
    while (!over()) {
        coact__context_switch(&subject->home, &subject->guest, NULL);
    }
    coact__context_fini(&subject->guest);
    coact__context_fini(&subject->home);
    munmap(stack, STACK);
    coact__altstack_close(&altstack);
    return NULL;
}

START_TEST(a_thread_in_the_middle_of_a_switch_can_be_looked_at)
{
    if (COACT__TSAN) {
        printf("# skipped: ThreadSanitizer keeps back the signals of a thread "
               "that makes no calls\n");
        return;
    }
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_switches);
    for (int i = 0; i < 3000; i++) {
        void *frames[FRAMES];
        ck_assert_int_le(take(tid, frames), 16);
    }
    end(subject.thread);
}
END_TEST

FOUND_BY_NAME _Noreturn void caller_that_ends_with_a_call(pid_t tid);

__attribute__((noinline)) _Noreturn static void
take_and_exit(pid_t tid)
{
    void *frames[FRAMES];
    int count = take(tid, frames);
    struct text text = print(frames, count);
    _exit(strstr(text.lines, " caller_that_ends_with_a_call+0x") != NULL ? 0
                                                                         : 1);
}

void
caller_that_ends_with_a_call(pid_t tid)
{
    take_and_exit(tid);
}

static void
call_it(void *arg)
{
    (void)arg;
    must_install();
    caller_that_ends_with_a_call(gettid());
}

START_TEST(a_call_that_does_not_return_is_found_in_its_own_function)
{
    ck_assert_int_eq(death_of(call_it, NULL), 0);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_leaves_only_what_it_exports)
{
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_coroutine);
    void *frames[FRAMES];
    int count = take(tid, frames);
    end(subject.thread);
    coact__fail_nth(1, true);
    struct text text = print(frames, count);
    coact__fail_nth(0, false);
    must_name(&text, "coroutine_that_spins");
    ck_assert_ptr_null(strstr(text.lines, "function_that_is_static"));
    ck_assert_ptr_nonnull(strstr(text.lines, " ? (test_runtime_snapshot+0x"));
}
END_TEST

START_TEST(an_address_in_no_file_is_printed_without_a_name)
{
    void *frames[] = {NULL, (void *)8, (void *)(uintptr_t)&printf};
    struct text text = print(frames, 3);
    ck_assert_ptr_nonnull(strstr(text.lines, "#0  0x0000000000000000 ? (?+0x"));
    ck_assert_ptr_nonnull(strstr(text.lines, "\n#1  0x0000000000000008 ? (?+"));
    ck_assert_ptr_nonnull(strstr(text.lines, "\n#2  0x"));
    ck_assert_uint_eq(print(frames, 0).bytes, 0);
}
END_TEST

SUITE_MAIN("snapshot", a_coroutine_that_spins_is_found_by_its_functions_names,
           the_first_frame_is_where_the_thread_stands,
           a_thread_blocked_in_read_is_found_there_and_reads_on,
           a_thread_can_look_at_itself,
           a_thread_that_blocks_the_signal_is_a_time_out_and_no_late_answer,
           takers_without_patience_leave_nothing_behind,
           many_takes_in_a_row_all_find_the_spinning_function,
           takers_at_once_get_each_the_frames_of_the_thread_they_asked,
           a_taker_that_finds_no_cell_gets_one_that_others_give_up,
           a_thread_in_the_middle_of_a_switch_can_be_looked_at,
           a_call_that_does_not_return_is_found_in_its_own_function,
           a_file_that_cannot_be_read_leaves_only_what_it_exports,
           an_address_in_no_file_is_printed_without_a_name)
