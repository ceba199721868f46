/*
 * isolated_world.h - a program of a test: it runs in coact_main, its children
 * are this same binary, and nothing of it may be left behind.
 *
 * The including file defines `program`, with the table of bodies.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_ISOLATED_WORLD_H
#define COACT_TEST_ISOLATED_WORLD_H

#include "test/support/suite.h"
#include "test/support/valgrind.h"

#include <coact/actor.h>
#include <coact/main.h>
#include <coact/supervisor.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOON coact_in_ms(unhurried_ms(8000))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char world_folder[] = "/tmp/coact-test-XXXXXX";

/* What the program logged; the lock is the sink's. */
static char world_log[1 << 16];
static pthread_mutex_t world_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((unused)) static void
world_sink(void *context, enum coact_log_level level, const char *text)
{
    (void)context;
    pthread_mutex_lock(&world_lock);
    size_t used = strlen(world_log);
    snprintf(world_log + used, sizeof(world_log) - used, "%s: %s\n",
             coact_log_level_name(level), text);
    pthread_mutex_unlock(&world_lock);
}

#define LOGGED(text)                                                           \
    ck_assert_msg(strstr(world_log, text) != NULL,                             \
                  "not in the log: %s\n%.2000s", text, world_log)

static void
world_open(void)
{
    ck_assert_ptr_nonnull(mkdtemp(world_folder));
    ck_assert_int_eq(setenv("TMPDIR", world_folder, 1), 0);
}

/* No process and no file is left. */
static void
world_close(void)
{
    int rc = waitpid(-1, NULL, WNOHANG);
    ck_assert_msg(rc == -1 && errno == ECHILD, "a process is left");
    ck_assert_msg(rmdir(world_folder) == 0, "a file is left in %s",
                  world_folder);
}

static int
world_run_program(const struct coact_program *model,
                  int (*fn)(int argc, char **argv))
{
    static char name[] = "test";
    char *argv[] = {name, NULL};
    struct coact_program ours = *model;
    ours.main = fn;
    ours.options.log = world_sink;
    ours.options.log_level = COACT_LOG_INFO;
    return coact_main(1, argv, &ours);
}

/* Run fn as a program. */
__attribute__((unused)) static void
in_program(const struct coact_program *model, int (*fn)(int argc, char **argv))
{
    world_open();
    int code = world_run_program(model, fn);
    ck_assert_msg(code == 0, "exit code %d\n%.3000s", code, world_log);
    world_close();
}

#define OK(call)                                                               \
    do {                                                                       \
        int ok_rc = (call);                                                    \
        ck_assert_msg(ok_rc == 0, "%s: %s\n%.3000s", #call,                    \
                      coact_strerror(ok_rc), world_log);                       \
    } while (0)

#endif
