/*
 * stack_guard_test.c - below each stack is a guard that catches whatever runs
 * over, and whose owner is found; where none can be had there is no stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/context.h"
#include "test/runtime/stack_support.h"
#include "test/support/death.h"
#include "test/support/suite.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
write_below(void *arg)
{
    const struct coact__stack *stack = arg;
    ((volatile char *)stack->low)[-1] = 1;
}

START_TEST(a_write_below_the_stack_is_caught_by_either_kind_of_guard)
{
    for (size_t i = 0; i < 2; i++) {
        set_up(&(struct coact__stacks_options){.guard = kinds[i]});
        struct coact__stack a = get();
        struct coact__stack b = get();
        ck_assert_int_eq(death_of(write_below, &a), SIGSEGV);
        ck_assert_int_eq(death_of(write_below, &b), SIGSEGV);
        ck_assert_uint_eq(counts().unguarded, 0);
        coact__stacks_free(stacks);
    }
}
END_TEST

START_TEST(a_guard_survives_reuse_and_trimming)
{
    for (size_t i = 0; i < 2; i++) {
        set_up(&(struct coact__stacks_options){.guard = kinds[i]});
        use_and_put_some();
        ck_assert_uint_eq(coact__stacks_trim(stacks, 0), SOME);
        for (size_t n = 0; n < SOME; n += 10) {
            ck_assert_int_eq(death_of(write_below, &some[n]), SIGSEGV);
        }
        coact__stacks_free(stacks);
    }
}
END_TEST

START_TEST(without_light_guards_heavy_ones_are_used_and_counted)
{
    set_up(&(struct coact__stacks_options){.guard = COACT__GUARD_HEAVY});
    for (size_t i = 0; i < 50; i++) {
        get();
    }
    ck_assert_uint_eq(counts().heavy, 50);
    ck_assert_int_eq(counts().next, COACT__GUARD_HEAVY);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(locked_memory_still_gets_guards)
{
    // The light kind is refused for locked memory.
    if (mlockall(MCL_FUTURE | MCL_ONFAULT) != 0) {
        return;
    }
    set_up(&plain);
    struct coact__stack stack = get();
    ck_assert_int_eq(death_of(write_below, &stack), SIGSEGV);
    ck_assert_uint_eq(counts().unguarded, 0);
    coact__stacks_free(stacks);
    munlockall();
}
END_TEST

START_TEST(no_guard_is_no_stack_and_says_why)
{
    set_up(&(struct coact__stacks_options){.guard = COACT__GUARD_HEAVY});
    stacks->guards.heavy_max = 5;
    for (size_t i = 0; i < 5; i++) {
        get();
    }
    const char *reason = NULL;
    struct coact__stack stack;
    ck_assert_int_eq(coact__stacks_get(stacks, &stack, &reason), -ENOMEM);
    ck_assert_ptr_nonnull(strstr(reason, "vm.max_map_count"));
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(unguarded_stacks_are_had_only_by_option)
{
    set_up(&(struct coact__stacks_options){.guard = COACT__GUARD_HEAVY,
                                           .allow_unguarded = true});
    stacks->guards.heavy_max = 5;
    struct coact__stack stack;
    for (size_t i = 0; i < 8; i++) {
        stack = get();
    }
    ck_assert_uint_eq(counts().unguarded, 3);
    struct coact__stack owner;
    ck_assert(!coact__stacks_owner(stacks, (char *)stack.low - 1, &owner));
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(the_limit_of_heavy_guards_comes_from_the_kernel)
{
    set_up(&(struct coact__stacks_options){.guard = COACT__GUARD_HEAVY});
    get();
    ck_assert_uint_gt(stacks->guards.heavy_max, 100);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(the_owner_of_a_guard_page_is_found)
{
    set_up(&plain);
    struct coact__stack got[40];
    for (size_t i = 0; i < 40; i++) {
        got[i] = get();
    }
    for (size_t i = 0; i < 40; i++) {
        struct coact__stack owner = {.low = NULL};
        char *low = got[i].low;
        ck_assert(coact__stacks_owner(stacks, low - 1, &owner));
        ck_assert_ptr_eq(owner.low, low);
        ck_assert_uint_eq(owner.bytes, got[i].bytes);
        ck_assert_uint_eq(owner.number, got[i].number);
        ck_assert(coact__stacks_owner(stacks, low - PAGE, &owner));
        ck_assert(!coact__stacks_owner(stacks, low, &owner));
        ck_assert(!coact__stacks_owner(stacks, low + got[i].bytes / 2, &owner));
    }
    struct coact__stack owner;
    ck_assert(!coact__stacks_owner(stacks, &owner, &owner));
    ck_assert(!coact__stacks_owner(stacks, NULL, &owner));
    coact__stacks_free(stacks);
}
END_TEST

/* Overflow of a real coroutine. */

static struct coact__context home;
static struct coact__context guest;
static struct coact__stack victim;

enum { CAUGHT = 42 };

static void
on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    struct coact__stack owner;
    _exit(coact__stacks_owner(stacks, info->si_addr, &owner) &&
                  owner.low == victim.low
              ? CAUGHT
              : 1);
}

/* A compiler must keep an array whole if its address leaves its sight. */
static void
keep_whole(char *array)
{
    __asm__ volatile("" : : "r"(array) : "memory");
}

static void
large_frame(void *arg, void *pass)
{
    (void)arg;
    (void)pass;
    char room[200000];
    room[0] = 1;
    keep_whole(room);
}

static int
endless(const char *above, int depth)
{
    char room[100];
    room[0] = above[0];
    keep_whole(room);
    // Never true, but the compiler must not know that.
    if (room[0] != 0) {
        return depth;
    }
    return endless(room, depth + 1) + room[0];
}

static void
recursion(void *arg, void *pass)
{
    (void)arg;
    (void)pass;
    endless("", 0);
}

static void
overflow(void *arg)
{
    static char handler_stack[64 << 10];
    sigaltstack(
        &(stack_t){.ss_sp = handler_stack, .ss_size = sizeof handler_stack},
        NULL);
    sigaction(SIGSEGV,
              &(struct sigaction){.sa_sigaction = on_fault,
                                  .sa_flags = SA_SIGINFO | SA_ONSTACK},
              NULL);
    coact__context_entry **entry = arg;
    coact__context_init_thread(&home);
    coact__context_make(&guest, victim.low, victim.bytes, *entry, NULL);
    coact__context_switch(&home, &guest, NULL);
}

START_TEST(an_overflow_is_caught_also_by_a_frame_larger_than_the_stack)
{
    static coact__context_entry *entries[] = {large_frame, recursion};
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < 2; n++) {
            set_up(&(struct coact__stacks_options){.guard = kinds[i]});
            for (size_t k = 0; k < 8; k++) {
                victim = get();
            }
            ck_assert_int_eq(death_of(overflow, &entries[n]), -CAUGHT);
            coact__stacks_free(stacks);
        }
    }
}
END_TEST

SUITE_MAIN("runtime/stack_guard",
           a_write_below_the_stack_is_caught_by_either_kind_of_guard,
           a_guard_survives_reuse_and_trimming,
           without_light_guards_heavy_ones_are_used_and_counted,
           locked_memory_still_gets_guards, no_guard_is_no_stack_and_says_why,
           unguarded_stacks_are_had_only_by_option,
           the_limit_of_heavy_guards_comes_from_the_kernel,
           the_owner_of_a_guard_page_is_found,
           an_overflow_is_caught_also_by_a_frame_larger_than_the_stack)
