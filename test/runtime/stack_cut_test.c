/*
 * stack_cut_test.c - new stacks, cut and guarded several at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"
#include "test/runtime/stack_support.h"
#include "test/support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 1000, ENOUGH = 200 };

static struct coact__stack got[MANY];

/* The kernel itself finds no memory there. */
static bool
is_guarded(const struct coact__stack *stack)
{
    static int ends[2] = {-1, -1};
    if (ends[0] < 0) {
        ck_assert_int_eq(pipe(ends), 0);
    }
    const char *below = (const char *)stack->low - 1;
    return write(ends[1], below, 1) == -1 && errno == EFAULT;
}

static void
get_up_to(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        got[i] = get();
        ck_assert(is_guarded(&got[i]));
        *(size_t *)got[i].low = i;
    }
}

static void
check_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(*(size_t *)got[i].low, i);
    }
    ck_assert_uint_eq(counts().in_use, count);
}

/* As long as none are left over, the next one that is cut has no others with it;
   in use are enough for several. */
static size_t
get_until_none_is_left_over(size_t from)
{
    size_t i = from;
    while (i < ENOUGH || counts().cold > 0) {
        get_up_to(i, i + 1);
        i++;
    }
    return i;
}

START_TEST(many_new_stacks_all_have_guards_and_some_are_made_ahead)
{
    set_up(&plain);
    size_t most = 0;
    for (size_t i = 0; i < MANY; i++) {
        get_up_to(i, i + 1);
        most = counts().cold > most ? counts().cold : most;
    }
    check_all(MANY);
    if (counts().next == COACT__GUARD_LIGHT) {
        ck_assert_uint_gt(most, 4);
        ck_assert_uint_lt(most, COACT__NEW_STACKS);
    }
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(those_that_cannot_be_guarded_together_are_guarded_one_by_one)
{
    set_up(&plain);
    size_t count = get_until_none_is_left_over(0);
    coact__fail_nth(1, false);
    get_up_to(count, count + 1);
    coact__fail_nth(0, false);
    ck_assert_uint_eq(counts().cold, 0);
    // The others that were cut with it come next.
    get_up_to(count + 1, count + 10);
    ck_assert_uint_eq(got[count + 1].number, got[count].number + 1);
    check_all(count + 10);
    coact__stacks_free(stacks);
}
END_TEST

START_TEST(those_that_get_no_guard_at_all_are_not_lost)
{
    set_up(&plain);
    size_t count = get_until_none_is_left_over(0);
    size_t mapped = counts().mapped_bytes;
    struct coact__stack stack;
    const char *reason = NULL;
    coact__fail_nth(1, true);
    ck_assert_int_eq(coact__stacks_get(stacks, &stack, &reason), -ENOMEM);
    coact__fail_nth(0, false);
    ck_assert_ptr_nonnull(strstr(reason, "guard"));
    ck_assert_uint_eq(counts().in_use, count);
    get_up_to(count, count + 10);
    check_all(count + 10);
    ck_assert_uint_eq(counts().mapped_bytes, mapped);
    coact__stacks_free(stacks);
}
END_TEST

/* Threads. */

enum { THREADS = 4, OF_EACH = MANY / THREADS };

static void *
get_some(void *arg)
{
    struct coact__stack *mine = arg;
    for (size_t i = 0; i < OF_EACH; i++) {
        if (coact__stacks_get(stacks, &mine[i], NULL) != 0) {
            return NULL;
        }
    }
    return arg;
}

START_TEST(what_one_thread_makes_ahead_is_there_for_the_others_up_to_the_limit)
{
    set_up(&(struct coact__stacks_options){.max_stacks = MANY});
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, get_some, &got[i * OF_EACH]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *all;
        ck_assert_int_eq(pthread_join(threads[i], &all), 0);
        ck_assert_ptr_nonnull(all);
    }
    for (size_t i = 0; i < MANY; i++) {
        ck_assert(is_guarded(&got[i]));
        *(size_t *)got[i].low = i;
    }
    check_all(MANY);
    coact__stacks_free(stacks);
}
END_TEST

SUITE_MAIN("stack_cut", many_new_stacks_all_have_guards_and_some_are_made_ahead,
           those_that_cannot_be_guarded_together_are_guarded_one_by_one,
           those_that_get_no_guard_at_all_are_not_lost,
           what_one_thread_makes_ahead_is_there_for_the_others_up_to_the_limit)
