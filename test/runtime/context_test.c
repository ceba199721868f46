/*
 * context_test.c - a switch keeps what belongs to each side, on any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/context.h"

#include "test/support/death.h"
#include "test/support/suite.h"

#include <errno.h>
#include <execinfo.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if COACT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif
#if COACT__TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK = 64 << 10 };

/* The coroutine under test and the thread that resumes it. */
static struct coact__context home;
static struct coact__context guest;
static char *stack;

static void
set_up(coact__context_entry *entry, void *arg)
{
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(stack, MAP_FAILED);
    coact__context_init_thread(&home);
    coact__context_make(&guest, stack, STACK, entry, arg);
}

static void
tear_down(void)
{
    coact__context_fini(&guest);
    coact__context_fini(&home);
    munmap(stack, STACK);
}

static void *
number(uintptr_t n)
{
    return (void *)n; // NOLINT(performance-no-int-to-ptr): a word to pass
}

static void
adder(void *arg, void *pass)
{
    uintptr_t sum = (uintptr_t)arg;
    while (pass != NULL) {
        sum += (uintptr_t)pass;
        pass = coact__context_switch(&guest, &home, number(sum));
    }
    coact__context_switch_final(&guest, &home, number(sum * 2));
}

START_TEST(each_side_gets_what_the_other_passed)
{
    set_up(adder, number(100));
    uintptr_t sum = 100;
    for (uintptr_t i = 1; i <= 1000; i++) {
        sum += i;
        ck_assert_uint_eq(
            (uintptr_t)coact__context_switch(&home, &guest, number(i)), sum);
    }
    ck_assert_uint_eq((uintptr_t)coact__context_switch(&home, &guest, NULL),
                      sum * 2);
    tear_down();
}
END_TEST

static void
align_prober(void *arg, void *pass)
{
    (void)pass;
    // An aligned store to the stack: it faults if the stack is off by eight.
    _Alignas(16) volatile char line[64];
    memset((char *)(uintptr_t)line, 1, sizeof line);
    *(uintptr_t *)arg = (uintptr_t)line % 16;
    char text[64];
    snprintf(text, sizeof text, "%f %s", 1.5, "printf uses vector moves");
    coact__context_switch_final(&guest, &home, NULL);
}

START_TEST(a_new_stack_is_aligned_whatever_its_size)
{
    for (size_t odd = 0; odd < 64; odd++) {
        uintptr_t rest = 1;
        set_up(align_prober, &rest);
        coact__context_fini(&guest);
        coact__context_make(&guest, stack, STACK - odd, align_prober, &rest);
        coact__context_switch(&home, &guest, NULL);
        ck_assert_uint_eq(rest, 0);
        tear_down();
    }
}
END_TEST

enum { RING = 100 };

static struct coact__context ring[RING];
static int visits;

static void
ring_member(void *arg, void *pass)
{
    size_t me = (size_t)(uintptr_t)arg;
    for (int round = 0; round < 10; round++) {
        ck_assert_uint_eq((uintptr_t)pass, me);
        visits++;
        size_t next = (me + 1) % RING;
        pass = coact__context_switch(&ring[me], &ring[next], number(next));
    }
    coact__context_switch_final(&ring[me], &home, NULL);
}

START_TEST(coroutines_resume_each_other_without_a_scheduler)
{
    char *stacks = mmap(NULL, (size_t)RING * STACK, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(stacks, MAP_FAILED);
    coact__context_init_thread(&home);
    for (size_t i = 0; i < RING; i++) {
        coact__context_make(&ring[i], stacks + i * STACK, STACK, ring_member,
                            number(i));
    }
    coact__context_switch(&home, &ring[0], number(0));
    ck_assert_int_eq(visits, 10 * RING);
    for (size_t i = 0; i < RING; i++) {
        coact__context_fini(&ring[i]); // all but one are abandoned
    }
    munmap(stacks, (size_t)RING * STACK);
}
END_TEST

static void
keeper(void *arg, void *pass)
{
    (void)arg;
    (void)pass;
    fesetround(FE_UPWARD);
    volatile double kept = 3.25;
    uint64_t words[8];
    for (size_t i = 0; i < 8; i++) {
        words[i] = i * 0x0101010101010101u;
    }
    for (;;) {
        coact__context_switch(&guest, &home, NULL);
        ck_assert_int_eq(fegetround(), FE_UPWARD);
        ck_assert(kept == 3.25);
        for (size_t i = 0; i < 8; i++) {
            ck_assert_uint_eq(words[i], i * 0x0101010101010101u);
        }
    }
}

START_TEST(each_context_has_its_own_rounding_mode)
{
    set_up(keeper, NULL);
    for (int i = 0; i < 10; i++) {
        fesetround(FE_DOWNWARD);
        coact__context_switch(&home, &guest, NULL);
        ck_assert_int_eq(fegetround(), FE_DOWNWARD);
    }
    fesetround(FE_TONEAREST);
    tear_down();
}
END_TEST

/* Threads take turns to resume one coroutine. */

enum { THREADS = 4, TURNS = 200 };

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_over = PTHREAD_COND_INITIALIZER;
static int turn;
static int moves;
static pthread_t last_seen;

/* Out of line: a compiler takes pthread_self to be constant in a function. */
__attribute__((noinline)) static pthread_t
this_thread(void)
{
    pthread_t self = pthread_self();
    __asm__ volatile("" : "+r"(self)::"memory");
    return self;
}

static void
wanderer(void *arg, void *pass)
{
    (void)arg;
    struct coact__context *resumer = pass;
    for (;;) {
        pthread_t now = this_thread();
        if (!pthread_equal(now, last_seen)) {
            moves++;
        }
        last_seen = now;
        resumer = coact__context_switch(&guest, resumer, NULL);
    }
}

static void *
take_turns(void *arg)
{
    int me = (int)(uintptr_t)arg;
    struct coact__context self;
    coact__context_init_thread(&self);
    pthread_mutex_lock(&turn_lock);
    while (turn < TURNS) {
        if (turn % THREADS != me) {
            pthread_cond_wait(&turn_over, &turn_lock);
            continue;
        }
        coact__context_switch(&self, &guest, &self);
        turn++;
        pthread_cond_broadcast(&turn_over);
    }
    pthread_mutex_unlock(&turn_lock);
    coact__context_fini(&self);
    return NULL;
}

START_TEST(a_coroutine_goes_on_where_it_was_on_another_thread)
{
    set_up(wanderer, NULL);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, take_turns, number(i)), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_int_eq(moves, TURNS);
    tear_down();
}
END_TEST

static int
first_errno_then_on_another_thread(int code)
{
    errno = code;
    int before = errno;
    coact__context_switch(&guest, &home, NULL);
    errno = code + 1;
    return before * 100 + errno;
}

static void
errno_user(void *arg, void *pass)
{
    (void)pass;
    *(int *)arg = first_errno_then_on_another_thread(1);
    coact__context_switch_final(&guest, &home, NULL);
}

static void *
resume_and_look_at_errno(void *arg)
{
    errno = 50;
    coact__context_init_thread(&home);
    coact__context_switch(&home, &guest, NULL);
    *(int *)arg = errno;
    return NULL;
}

START_TEST(errno_is_the_running_threads_after_a_move)
{
    int of_coroutine = 0;
    int of_thread = 0;
    set_up(errno_user, &of_coroutine);
    coact__context_switch(&home, &guest, NULL);
    errno = 70;
    pthread_t thread;
    ck_assert_int_eq(
        pthread_create(&thread, NULL, resume_and_look_at_errno, &of_thread), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(errno, 70);
    ck_assert_int_eq(of_thread, 2);
    ck_assert_int_eq(of_coroutine, 102);
    tear_down();
}
END_TEST

static void
backtracer(void *arg, void *pass)
{
    (void)pass;
    void *frames[64];
    int *depth = arg;
    *depth = backtrace(frames, 64);
    char **names = backtrace_symbols(frames, *depth);
    ck_assert_ptr_nonnull(names);
    free(names);
    coact__context_switch_final(&guest, &home, NULL);
}

/* A stack full of plausible addresses, such as a reused one is. */
START_TEST(a_backtrace_ends_at_the_first_frame)
{
    int depth = 0;
    set_up(backtracer, &depth);
    coact__context_fini(&guest);
    void **words = (void **)stack;
    for (size_t i = 0; i < STACK / sizeof *words; i++) {
        words[i] = (void *)(uintptr_t)&printf;
    }
    // The top half is used, so that there is a lure above the first frame.
    coact__context_make(&guest, stack, STACK / 2, backtracer, &depth);
    coact__context_switch(&home, &guest, NULL);
    // backtracer, coact__context_main, coact__context_start, and no more but a
    // sanitizer's own.
    ck_assert_int_eq(depth, 3 + (COACT__ASAN || COACT__TSAN));
    tear_down();
}
END_TEST

static void
returner(void *arg, void *pass)
{
    (void)arg;
    (void)pass;
}

static void
switch_twice(void *arg)
{
    (void)arg;
    coact__context_switch(&home, &guest, NULL);
    coact__context_switch(&home, &guest, NULL);
}

START_TEST(an_entry_that_returns_aborts)
{
    set_up(returner, NULL);
    ck_assert_int_eq(death_of(switch_twice, NULL), SIGABRT);
    tear_down();
}
END_TEST

START_TEST(resuming_the_dead_aborts)
{
    // Its first `pass` is NULL, so it ends at once.
    set_up(adder, NULL);
    ck_assert_int_eq(death_of(switch_twice, NULL), SIGABRT);
    tear_down();
}
END_TEST

/* A leak checker must find what only a parked stack points to. */
static void
holder(void *arg, void *pass)
{
    (void)arg;
    (void)pass;
    char *volatile block = malloc(100);
    ck_assert_ptr_nonnull(block);
    coact__context_switch(&guest, &home, NULL);
    free(block);
    coact__context_switch_final(&guest, &home, NULL);
}

static int
leaks(void)
{
#if COACT__ASAN
    return __lsan_do_recoverable_leak_check();
#else
    return 0;
#endif
}

START_TEST(a_block_held_by_a_parked_stack_is_no_leak)
{
    set_up(holder, NULL);
    coact__context_switch(&home, &guest, NULL);
    ck_assert_int_eq(leaks(), 0);
    coact__context_switch(&home, &guest, NULL);
    tear_down();
}
END_TEST

/* Coroutines end and their stack is used again, from any depth. */
static void
deep(int depth)
{
    volatile char room[200];
    memset((char *)(uintptr_t)room, depth, sizeof room);
    if (depth > 0) {
        deep(depth - 1);
    } else {
        coact__context_switch(&guest, &home, NULL);
    }
    ck_assert_int_eq(room[0], (char)depth);
}

static void
diver(void *arg, void *pass)
{
    (void)pass;
    deep((int)(uintptr_t)arg);
    coact__context_switch_final(&guest, &home, NULL);
}

START_TEST(an_abandoned_stack_can_be_used_again)
{
    set_up(diver, number(1));
    for (uintptr_t i = 0; i < 300; i++) {
        coact__context_fini(&guest);
        coact__context_make(&guest, stack, STACK, diver, number(i % 97));
        coact__context_switch(&home, &guest, NULL);
        if (i % 3 == 0) {
            coact__context_switch(&home, &guest, NULL);
        }
    }
    tear_down();
}
END_TEST

START_TEST(no_red_zone_is_left_on_an_abandoned_stack)
{
    set_up(diver, number(50));
    coact__context_switch(&home, &guest, NULL);
    coact__context_fini(&guest);
#if COACT__ASAN
    ck_assert_ptr_null(__asan_region_is_poisoned(stack, STACK));
#endif
    coact__context_fini(&home);
    munmap(stack, STACK);
}
END_TEST

static void
fiber_teller(void *arg, void *pass)
{
    (void)pass;
#if COACT__TSAN
    *(void **)arg = __tsan_get_current_fiber();
#else
    *(void **)arg = &guest;
#endif
    coact__context_switch_final(&guest, &home, NULL);
}

START_TEST(a_race_detector_sees_each_coroutine_as_a_thread_of_its_own)
{
    void *inside = NULL;
    set_up(fiber_teller, &inside);
    coact__context_switch(&home, &guest, NULL);
#if COACT__TSAN
    ck_assert_ptr_nonnull(inside);
    ck_assert_ptr_ne(inside, __tsan_get_current_fiber());
#endif
    tear_down();
}
END_TEST

SUITE_MAIN("context", each_side_gets_what_the_other_passed,
           a_new_stack_is_aligned_whatever_its_size,
           coroutines_resume_each_other_without_a_scheduler,
           each_context_has_its_own_rounding_mode,
           a_coroutine_goes_on_where_it_was_on_another_thread,
           errno_is_the_running_threads_after_a_move,
           a_backtrace_ends_at_the_first_frame, an_entry_that_returns_aborts,
           resuming_the_dead_aborts, a_block_held_by_a_parked_stack_is_no_leak,
           an_abandoned_stack_can_be_used_again,
           no_red_zone_is_left_on_an_abandoned_stack,
           a_race_detector_sees_each_coroutine_as_a_thread_of_its_own)
