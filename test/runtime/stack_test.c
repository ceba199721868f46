/*
 * stack_test.c - stacks are apart, guarded, reused warm and given back cold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/stack.h"

#include "runtime/context.h"
#include "runtime/memory.h"
#include "test/support/death.h"
#include "test/support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

static const struct coact__stacks_options plain;

static struct coact__stacks *stacks;

static void
set_up(const struct coact__stacks_options *options)
{
    ck_assert_int_eq(coact__stacks_new(options, &stacks), 0);
}

static struct coact__stack
get(void)
{
    struct coact__stack stack;
    ck_assert_int_eq(coact__stacks_get(stacks, &stack, NULL), 0);
    return stack;
}

static struct coact__stacks_counts
counts(void)
{
    struct coact__stacks_counts now;
    coact__stacks_count(stacks, &now);
    return now;
}

static bool
is_resident(const struct coact__stack *stack)
{
    unsigned char in_core = 0;
    char *top = (char *)stack->low + stack->bytes;
    char *page = top - 1 - ((uintptr_t)(top - 1) % PAGE);
    ck_assert_int_eq(mincore(page, PAGE, &in_core), 0);
    return (in_core & 1) != 0;
}

START_TEST(stacks_do_not_overlap)
{
    enum { MANY = 200 };
    struct coact__stack got[MANY];
    set_up(&plain);
    for (size_t i = 0; i < MANY; i++) {
        got[i] = get();
        memset(got[i].low, (int)i, got[i].bytes);
    }
    for (size_t i = 0; i < MANY; i++) {
        const unsigned char *bytes = got[i].low;
        ck_assert_uint_eq(bytes[0], (unsigned char)i);
        ck_assert_uint_eq(bytes[got[i].bytes - 1], (unsigned char)i);
    }
    ck_assert_uint_eq(counts().in_use, MANY);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(a_stack_has_the_size_that_was_asked_for_less_guard_and_colour)
{
    static const size_t sizes[] = {16384, 16385, 65536, 1 << 20, 128 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        set_up(&(struct coact__stacks_options){.stack_bytes = sizes[i]});
        for (size_t n = 0; n < 3; n++) {
            struct coact__stack stack = get();
            ck_assert_uint_ge(stack.bytes, sizes[i] - PAGE - 1024);
            ck_assert_uint_le(stack.bytes, sizes[i] + PAGE);
            ck_assert_uint_eq((uintptr_t)stack.low % PAGE, 0);
            *(volatile char *)stack.low = 1;
        }
        coact__stacks_free(stacks);
    }
}
END_TEST

START_TEST(a_size_out_of_range_is_refused)
{
    static const size_t sizes[] = {1, 16383, ((size_t)1 << 30) + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct coact__stacks_options options = {.stack_bytes = sizes[i]};
        ck_assert_int_eq(coact__stacks_new(&options, &stacks), -EINVAL);
    }
    struct coact__stacks_options options = {.max_stacks = SIZE_MAX};
    ck_assert_int_eq(coact__stacks_new(&options, &stacks), -EINVAL);
}
END_TEST

START_TEST(tops_of_neighbours_differ_within_one_page)
{
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    set_up(&plain);
    for (size_t i = 0; i < 16; i++) {
        uint32_t bytes = get().bytes;
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
    }
    ck_assert_uint_eq(most - least, 15 * 64);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(the_stack_put_last_is_had_first)
{
    set_up(&plain);
    struct coact__stack a = get();
    struct coact__stack b = get();
    coact__stacks_put(stacks, &a);
    coact__stacks_put(stacks, &b);
    ck_assert_ptr_eq(get().low, b.low);
    ck_assert_ptr_eq(get().low, a.low);
    coact__stacks_free(stacks);
}
END_TEST

static void
put_twice(void *arg)
{
    coact__stacks_put(stacks, arg);
    coact__stacks_put(stacks, arg);
}

START_TEST(a_stack_put_twice_aborts)
{
    set_up(&plain);
    struct coact__stack stack = get();
    ck_assert_int_eq(death_of(put_twice, &stack), SIGABRT);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(no_more_than_the_limit_are_in_use)
{
    set_up(&(struct coact__stacks_options){.max_stacks = 20});
    struct coact__stack last;
    for (int i = 0; i < 20; i++) {
        last = get();
    }
    const char *reason = NULL;
    struct coact__stack none = {.number = 77};
    ck_assert_int_eq(coact__stacks_get(stacks, &none, &reason), -EAGAIN);
    ck_assert_ptr_nonnull(strstr(reason, "limit"));
    ck_assert_uint_eq(none.number, 77);
    coact__stacks_put(stacks, &last);
    ck_assert_int_eq(coact__stacks_get(stacks, &none, NULL), 0);
    coact__stacks_free(stacks);
}
END_TEST

/* Trimming. */

enum { SOME = 100 };

static struct coact__stack some[SOME];

static void
use_and_put_some(void)
{
    for (size_t i = 0; i < SOME; i++) {
        some[i] = get();
        memset(some[i].low, 1, some[i].bytes);
    }
    // Not in the order of addresses: 0, 37, 74, 11, ...
    for (size_t i = 0; i < SOME; i++) {
        coact__stacks_put(stacks, &some[i * 37 % SOME]);
    }
}

START_TEST(trimming_gives_back_pages_but_for_the_last_put)
{
    set_up(&plain);
    use_and_put_some();
    ck_assert_uint_eq(coact__stacks_trim(stacks, 30), SOME - 30);
    size_t resident = 0;
    for (size_t i = 0; i < SOME; i++) {
        resident += is_resident(&some[i]);
    }
    ck_assert_uint_eq(resident, 30);
    ck_assert_uint_eq(counts().warm, 30);
    ck_assert_uint_eq(counts().cold, SOME - 30);
    // Those kept are those that were put last.
    for (size_t i = SOME - 30; i < SOME; i++) {
        ck_assert(is_resident(&some[i * 37 % SOME]));
    }
    ck_assert_uint_eq(coact__stacks_trim(stacks, 30), 0);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(trimmed_stacks_are_used_again_before_new_ones)
{
    set_up(&plain);
    use_and_put_some();
    coact__stacks_trim(stacks, 0);
    size_t mapped = counts().mapped_bytes;
    for (size_t i = 0; i < SOME; i++) {
        memset(get().low, 2, 4096);
    }
    ck_assert_uint_eq(counts().cold, 0);
    ck_assert_uint_eq(counts().mapped_bytes, mapped);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(a_trim_that_the_kernel_refuses_loses_no_stack)
{
    set_up(&plain);
    use_and_put_some();
    coact__fail_nth(1, true);
    ck_assert_uint_eq(coact__stacks_trim(stacks, 0), 0);
    coact__fail_nth(0, false);
    ck_assert_uint_eq(counts().warm, SOME);
    ck_assert_uint_eq(coact__stacks_trim(stacks, 0), SOME);
    coact__stacks_free(stacks);
}
END_TEST

/* Guards. */

static const enum coact__guard kinds[] = {COACT__GUARD_BEST,
                                          COACT__GUARD_HEAVY};

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

/* Failures. */

static int
take_a_few(const struct coact__stacks_options *options)
{
    int rc = coact__stacks_new(options, &stacks);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < 40 && rc == 0; i++) {
        struct coact__stack stack;
        const char *reason = NULL;
        rc = coact__stacks_get(stacks, &stack, &reason);
        ck_assert((rc == 0) == (reason == NULL));
    }
    coact__stacks_free(stacks);
    return rc;
}

START_TEST(whichever_call_fails_nothing_leaks_and_the_next_try_works)
{
    for (size_t i = 0; i < 2; i++) {
        struct coact__stacks_options options = {.guard = kinds[i]};
        unsigned long n = 0;
        int rc;
        do {
            coact__fail_nth(++n, false);
            rc = take_a_few(&options);
            coact__fail_nth(0, false);
            ck_assert(rc == 0 || rc == -ENOMEM);
            ck_assert_int_eq(take_a_few(&options), 0);
        } while (rc != 0);
        // 40 guards, 2 slabs of 3 calls each, the allocator and its table
        ck_assert_uint_eq(n, 40 + 2 * 3 + 2 + 1);
    }
}
END_TEST

/* Address space of this process, in pages. */
static unsigned long
pages_mapped(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages;
}

START_TEST(a_slab_that_may_not_be_used_is_unmapped)
{
    unsigned long before = pages_mapped();
    for (size_t i = 0; i < 200; i++) {
        // The allocator, its table, the slab's, its pages, the advice on them.
        coact__fail_nth(5, false);
        ck_assert_int_eq(take_a_few(&plain), -ENOMEM);
    }
    coact__fail_nth(0, false);
    // One such slab is 1 MiB.
    ck_assert_uint_lt((pages_mapped() - before) * PAGE, 64 << 20);
}
END_TEST

START_TEST(after_a_failure_the_allocator_goes_on)
{
    set_up(&plain);
    get();
    struct coact__stack stack;
    coact__fail_nth(1, false);
    ck_assert_int_eq(coact__stacks_get(stacks, &stack, NULL), -ENOMEM);
    coact__fail_nth(0, false);
    ck_assert_int_eq(coact__stacks_get(stacks, &stack, NULL), 0);
    // It was a shortage, not an old kernel: the kind has not changed.
    ck_assert_int_eq(counts().next, COACT__GUARD_LIGHT);
    ck_assert_uint_eq(counts().in_use, 2);
    coact__stacks_free(stacks);
}
END_TEST

/* Threads. */

static void *
get_write_put(void *arg)
{
    unsigned char mark = *(unsigned char *)arg;
    struct coact__stack held[12];
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < 12; i++) {
            held[i] = get();
            *(unsigned char *)held[i].low = mark;
        }
        for (size_t i = 0; i < 12; i++) {
            ck_assert_uint_eq(*(unsigned char *)held[i].low, mark);
            coact__stacks_put(stacks, &held[i]);
        }
        coact__stacks_trim(stacks, 0);
    }
    return NULL;
}

START_TEST(threads_share_an_allocator_of_the_least_size)
{
    // Exactly what they need, and all that two slabs have.
    set_up(&(struct coact__stacks_options){.max_stacks = 48});
    pthread_t threads[4];
    static unsigned char marks[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, get_write_put, &marks[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(counts().in_use, 0);
    coact__stacks_free(stacks);
}
END_TEST

/* What a trim does at its end, some time after the get has begun. */
static void *
end_the_trim(void *arg)
{
    const struct coact__stack *stack = arg;
    for (int i = 0; i < 1000; i++) {
        sched_yield();
    }
    pthread_mutex_lock(&stacks->lock);
    coact__stacks_push(stacks, &stacks->cold, stack->number, COACT__STACK_COLD);
    stacks->trimming = 0;
    pthread_cond_broadcast(&stacks->trimmed);
    pthread_mutex_unlock(&stacks->lock);
    return NULL;
}

START_TEST(the_last_stack_is_had_also_while_it_is_being_trimmed)
{
    set_up(&(struct coact__stacks_options){.max_stacks = 16});
    struct coact__stack last;
    for (size_t i = 0; i < 16; i++) {
        last = get();
    }
    coact__stacks_put(stacks, &last);
    stacks->warm.head = COACT__NO_STACK;
    stacks->warm.length = 0;
    stacks->trimming = 1;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, end_the_trim, &last), 0);
    ck_assert_uint_eq(get().number, last.number);
    pthread_join(thread, NULL);
    coact__stacks_free(stacks);
}
END_TEST

SUITE_MAIN("stack", stacks_do_not_overlap,
           a_stack_has_the_size_that_was_asked_for_less_guard_and_colour,
           a_size_out_of_range_is_refused,
           tops_of_neighbours_differ_within_one_page,
           the_stack_put_last_is_had_first, a_stack_put_twice_aborts,
           no_more_than_the_limit_are_in_use,
           trimming_gives_back_pages_but_for_the_last_put,
           trimmed_stacks_are_used_again_before_new_ones,
           a_trim_that_the_kernel_refuses_loses_no_stack,
           a_write_below_the_stack_is_caught_by_either_kind_of_guard,
           a_guard_survives_reuse_and_trimming,
           without_light_guards_heavy_ones_are_used_and_counted,
           locked_memory_still_gets_guards, no_guard_is_no_stack_and_says_why,
           unguarded_stacks_are_had_only_by_option,
           the_limit_of_heavy_guards_comes_from_the_kernel,
           the_owner_of_a_guard_page_is_found,
           an_overflow_is_caught_also_by_a_frame_larger_than_the_stack,
           whichever_call_fails_nothing_leaks_and_the_next_try_works,
           a_slab_that_may_not_be_used_is_unmapped,
           after_a_failure_the_allocator_goes_on,
           threads_share_an_allocator_of_the_least_size,
           the_last_stack_is_had_also_while_it_is_being_trimmed)
