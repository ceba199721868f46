/*
 * overflow_test.c - a stack overflow that ends the process says whose stack it
 * was, and how large.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/dig.h"
#include "test/actors/program.h"

#include <signal.h>
#include <stdio.h>

static void
dig_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig();
}

static void
wide_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig_wide();
}

static void
alloca_run(toy_self self, void *arg)
{
    (void)self, (void)arg;
    (void)dig_alloca(200000);
}

static int
main_digs(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(dig_run, "digger");
}

static int
main_digs_wide(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(wide_run, "digger");
}

static int
main_digs_by_alloca(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(alloca_run, "digger");
}

static int
main_digs_itself(int argc, char **argv)
{
    (void)argc, (void)argv;
    return dig();
}

/* The program ends by SIGSEGV and says that; the size is about this. */
static void
ck_reported(int (*fn)(int argc, char **argv), const char *label,
            unsigned stack_bytes)
{
    struct coact_program program = program_of(fn);
    struct run run;
    start_plain(&run, &program);
    await_end(&run);
    ck_assert_msg(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGSEGV,
                  "status %x\n%.3000s", (unsigned)run.status, run.said);
    char words[128];
    snprintf(words, sizeof(words), "stack overflow of actor %s, stack ", label);
    SAID(&run, words);
    unsigned bytes = 0;
    ck_assert_int_eq(
        sscanf(strstr(run.said, words) + strlen(words), "%u", &bytes), 1);
    ck_assert_uint_le(bytes, stack_bytes);
    ck_assert_uint_ge(bytes, stack_bytes - 8192);
    SAID(&run, "test_actors_overflow(+0x"); // a backtrace
}

START_TEST(s15_an_overflow_is_reported_with_the_actors_name_and_stack_size)
{
    ck_reported(main_digs, "digger", 64 << 10);
    ck_reported(main_digs_itself, "main", 1 << 20);
}
END_TEST

START_TEST(s15_a_frame_larger_than_the_stack_is_reported_too)
{
    ck_reported(main_digs_wide, "digger", 64 << 10);
    ck_reported(main_digs_by_alloca, "digger", 64 << 10);
}
END_TEST

SUITE_MAIN("overflow",
           s15_an_overflow_is_reported_with_the_actors_name_and_stack_size,
           s15_a_frame_larger_than_the_stack_is_reported_too)
