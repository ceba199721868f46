/*
 * snapshot_step_test.c - the stack is looked at behind each single instruction of
 * some switches.
 *
 * The processor traps after every instruction, and the trap's handler walks the
 * stack as the handler of a snapshot does.  snapshot.c is compiled once more, for
 * the functions that only its handler calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/snapshot.c"

#include "runtime/altstack.h"
#include "test/support/suite.h"
#include "test/support/valgrind.h"

#include <limits.h>

#if defined(__x86_64__) && !COACT__ASAN && !COACT__TSAN
#define CAN_STEP 1
#else
#define CAN_STEP 0
#endif

#if CAN_STEP
enum { STACK_BYTES = 64 << 10, SWITCHES = 20 };

static struct coact__context home, guest;
static unsigned steps, in_the_gap;
static int deepest, deepest_in_the_gap;
static volatile int shallowest;

#define TRAP_FLAG 0x100

static void
on_step(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    struct coact__snapshot_cell cell = {0};
    fill(&cell, pc_of(context));
    steps++;
    if (coact__context_is_leaving(pc_of(context))) {
        in_the_gap++;
        deepest_in_the_gap =
            cell.count > deepest_in_the_gap ? cell.count : deepest_in_the_gap;
    }
    deepest = cell.count > deepest ? cell.count : deepest;
    shallowest = cell.count < shallowest ? cell.count : shallowest;
}

static inline void
set_trap(bool is_on)
{
    __asm__ volatile("pushfq\n\t"
                     "andq %0, (%%rsp)\n\t"
                     "orq %1, (%%rsp)\n\t"
                     "popfq"
                     :
                     : "r"(~(uintptr_t)TRAP_FLAG),
                       "r"(is_on ? (uintptr_t)TRAP_FLAG : 0)
                     : "memory", "cc");
}

static void
trap_each_step(void)
{
    (void)_Unwind_Backtrace(stop_at_once, NULL);
    const struct sigaction action = {.sa_sigaction = on_step,
                                     .sa_flags = SA_SIGINFO | SA_ONSTACK};
    ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
    steps = in_the_gap = 0;
    deepest = deepest_in_the_gap = 0;
    shallowest = INT_MAX;
    set_trap(true);
}

static COACT__RETURNS_BY_JUMP __attribute__((noinline)) int
add(int a, int b)
{
    return a + b;
}

static void
switch_back(void *arg, void *pass)
{
    (void)arg, (void)pass;
    for (;;) {
        coact__context_switch(&guest, &home, NULL);
    }
}
#endif

START_TEST(every_instruction_of_a_switch_can_be_interrupted_for_a_look)
{
#if CAN_STEP
    if (is_on_valgrind()) {
        return; // it has no such flag
    }
    static char stack[STACK_BYTES];
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    coact__context_init_thread(&home);
    coact__context_make(&guest, stack, sizeof(stack), switch_back, NULL);
    coact__context_switch(&home, &guest, NULL);
    trap_each_step();
    for (int i = 0; i < SWITCHES; i++) {
        coact__context_switch(&home, &guest, NULL);
    }
    set_trap(false);
    ck_assert_uint_gt(steps, SWITCHES * 40u);
    ck_assert_uint_ge(in_the_gap, 2 * SWITCHES);
    ck_assert_int_eq(deepest_in_the_gap, 1); // what is behind is no frame
    ck_assert_int_gt(deepest, 2);
    coact__context_fini(&guest);
    coact__context_fini(&home);
    coact__altstack_close(&altstack);
#endif
}
END_TEST

START_TEST(a_return_by_a_jump_can_be_interrupted_for_a_look)
{
#if CAN_STEP
    if (is_on_valgrind()) {
        return; // it has no such flag
    }
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    trap_each_step();
    int sum = add(add(1, 2), 3);
    int least = shallowest; // what ends the steps pushes something
    set_trap(false);
    ck_assert_int_eq(sum, 6);
    ck_assert_uint_gt(steps, 8);
    // The function and all of its callers, or its callers alone.
    ck_assert_int_gt(least, 2);
    ck_assert_int_le(deepest, least + 1);
    coact__altstack_close(&altstack);
#endif
}
END_TEST

SUITE_MAIN("snapshot_step",
           every_instruction_of_a_switch_can_be_interrupted_for_a_look,
           a_return_by_a_jump_can_be_interrupted_for_a_look)
