/*
 * stack_test.c - stacks are apart, reused warm and given back cold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"
#include "test/runtime/stack_support.h"
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

START_TEST(free_ones_are_had_together_the_last_put_at_the_end)
{
    set_up(&plain);
    struct coact__stack had[8];
    for (int i = 0; i < 8; i++) {
        had[i] = get();
    }
    coact__stacks_put_all(stacks, had, 8);
    ck_assert_uint_eq(counts().in_use, 0);
    struct coact__stack again[16];
    ck_assert_uint_eq(coact__stacks_get_free(stacks, again, 5), 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_eq(again[i].low, had[3 + i].low);
        ck_assert_uint_eq(again[i].bytes, had[3 + i].bytes);
    }
    ck_assert_uint_eq(coact__stacks_get_free(stacks, again, 16), 3);
    ck_assert_uint_eq(coact__stacks_get_free(stacks, again, 16), 0);
    ck_assert_uint_eq(counts().in_use, 8);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(near_the_limit_nobody_has_more_than_the_one_it_needs)
{
    set_up(&(struct coact__stacks_options){.max_stacks = 130});
    struct coact__stack had[4];
    for (int i = 0; i < 4; i++) {
        had[i] = get();
    }
    coact__stacks_put_all(stacks, had, 4);
    ck_assert_uint_eq(coact__stacks_get_free(stacks, had, 4), 2);
    ck_assert_uint_eq(coact__stacks_get_free(stacks, had, 4), 2);
    coact__stacks_put_all(stacks, had, 2);
    for (int i = 0; i < 66; i++) {
        (void)get();
    }
    ck_assert_uint_eq(coact__stacks_get_free(stacks, had, 4), 0);
    coact__stacks_free(stacks);
}
END_TEST

/* Trimming. */

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
    stacks->on_no_list = 0;
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
    stacks->on_no_list = 1;
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
           free_ones_are_had_together_the_last_put_at_the_end,
           near_the_limit_nobody_has_more_than_the_one_it_needs,
           trimming_gives_back_pages_but_for_the_last_put,
           trimmed_stacks_are_used_again_before_new_ones,
           a_trim_that_the_kernel_refuses_loses_no_stack,
           whichever_call_fails_nothing_leaks_and_the_next_try_works,
           a_slab_that_may_not_be_used_is_unmapped,
           after_a_failure_the_allocator_goes_on,
           threads_share_an_allocator_of_the_least_size,
           the_last_stack_is_had_also_while_it_is_being_trimmed)
