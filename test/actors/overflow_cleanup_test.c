/*
 * overflow_cleanup_test.c - clean-ups after a stack overflow, and overflows in
 * clean-ups, where only the actor ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/overflow_world.h"

/* ---- After an overflow --------------------------------------------------- */

/* What a clean-up finds on the stack that overflowed. */
struct notebook {
    struct diary *diary;
    const char *line;
    unsigned char pages[512];
};

static void
open_notebook(struct notebook *notebook, struct diary *diary, const char *line)
{
    *notebook = (struct notebook){.diary = diary, .line = line};
    memset(notebook->pages, line[0], sizeof(notebook->pages));
}

static void
close_notebook(void *arg)
{
    struct notebook *notebook = arg;
    bool is_whole = true;
    for (size_t i = 0; i < sizeof(notebook->pages); i++) {
        is_whole =
            is_whole && notebook->pages[i] == (unsigned char)notebook->line[0];
    }
    enter(notebook->diary, is_whole ? notebook->line : "spoilt");
}

static void
wait_a_little(void *arg)
{
    enter(arg, coact_sleep(coact_in_ms(1)) == 0 ? "slept" : "cancelled");
}

static int
deeper_with_notebook(struct diary *diary)
{
    struct notebook inner;
    open_notebook(&inner, diary, "inner");
    ck_assert_int_eq(coact_defer(close_notebook, &inner), 0);
    return dig();
}

static void
tidy_body(peer_self self, void *arg)
{
    struct notebook outer;
    open_notebook(&outer, arg, "outer");
    ck_assert_int_eq(coact_defer(close_notebook, &outer), 0);
    ck_assert_int_eq(coact_defer(wait_a_little, arg), 0);
    ck_assert_ptr_nonnull(coact_arena(100000));
    (void)self;
    (void)deeper_with_notebook(arg);
}

static void
check_tidy(peer_self self, void *arg)
{
    (void)arg;
    struct diary diary = {""};
    struct coact_reason reason = end_of(self, tidy_body, &diary, 0);
    ck_overflow(&reason);
    ck_assert_str_eq(diary.lines, "inner slept outer ");
}

START_TEST(s15_clean_ups_run_once_newest_first_and_find_the_stack_as_it_was)
{
    conduct_containing(check_tidy, NULL);
}
END_TEST

/* ---- Between clean-ups --------------------------------------------------- */

static void
dig_in_clean_up(void *arg)
{
    enter(arg, "digs");
    (void)dig();
}

static void
say_last(void *arg)
{
    enter(arg, "last");
}

static void
overflow_in_clean_up_body(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(say_last, arg), 0);
    ck_assert_int_eq(coact_defer(dig_in_clean_up, arg), 0);
    (void)self;
    coact_fail(-EIO, "first");
}

static void
check_clean_up(peer_self self, void *arg)
{
    (void)arg;
    struct diary diary = {""};
    struct coact_reason reason =
        end_of(self, overflow_in_clean_up_body, &diary, 0);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "first");
    ck_assert_str_eq(diary.lines, "digs last ");
}

START_TEST(s15_an_overflow_in_a_clean_up_runs_the_next_and_keeps_the_reason)
{
    conduct_containing(check_clean_up, NULL);
}
END_TEST

static void
undefer_body(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(say_last, arg), 0);
    ck_assert_int_eq(coact_defer(dig_in_clean_up, arg), 0);
    (void)self;
    (void)coact_undefer();
}

static void
check_undefer(peer_self self, void *arg)
{
    (void)arg;
    struct diary diary = {""};
    struct coact_reason reason = end_of(self, undefer_body, &diary, 0);
    ck_overflow(&reason);
    ck_assert_str_eq(diary.lines, "digs last ");
}

START_TEST(s15_an_overflow_in_a_clean_up_that_is_run_early_is_contained)
{
    conduct_containing(check_undefer, NULL);
}
END_TEST

/* A third, if the processor computes and copies as it should. */
static void
compute(void *arg)
{
    volatile long double three = 3;
    uintptr_t flags = 0;
#if defined(__x86_64__)
    flags = __builtin_ia32_readeflags_u64();
#endif
    enum { DIRECTION_FLAG = 1 << 10 };
    *(long double *)arg = (flags & DIRECTION_FLAG) == 0 ? 1 / three : 0;
}

static void
odd_body(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_defer(compute, arg), 0);
    (void)self;
    (void)dig_with_odd_registers();
}

static void
check_odd(peer_self self, void *arg)
{
    (void)arg;
    long double third = 0;
    struct coact_reason reason = end_of(self, odd_body, &third, 0);
    ck_overflow(&reason);
    ck_assert(third > 0.33L && third < 0.34L);
}

START_TEST(s15_clean_ups_find_the_processor_in_order)
{
    conduct_containing(check_odd, NULL);
}
END_TEST

SUITE_MAIN("overflow_cleanup",
           s15_clean_ups_run_once_newest_first_and_find_the_stack_as_it_was,
           s15_an_overflow_in_a_clean_up_runs_the_next_and_keeps_the_reason,
           s15_an_overflow_in_a_clean_up_that_is_run_early_is_contained,
           s15_clean_ups_find_the_processor_in_order)
