/*
 * process_support.h - a child under test: start it, wait for what it says and
 * for its end.
 *
 * Include it after nothing: it is meant to come before suite.h.  Each failing
 * wait fails the test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_PROCESS_SUPPORT_H
#define COACT_TEST_PROCESS_SUPPORT_H

#include "runtime/process.h"
#include "test/runtime/process_program.h"
#include "test/support/suite.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND INT64_C(1000000000)
#define HEARD_MAX ((size_t)4 << 20) /* of one child */

/* What one child said, and its end. */
struct child {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *text; /* all messages, one after another, then a zero */
    size_t bytes;
    unsigned messages;
    unsigned ends;
    struct coact__process_end end;
    struct coact__process *process;
};

/* The one that the test has open. */
extern struct coact__spawner *spawner;

/* Handlers that fill in a struct child. */
extern const struct coact__process_events child_events;
void child_heard(void *owner, const void *bytes, size_t len);
void child_ended(void *owner, const struct coact__process_end *end);

void spawner_open(const struct coact__spawner_options *options);

/* Stop it, and see that no child is left, zombies included. */
void spawner_close(void);

/* init alone is for tests that start by themselves. */
void child_init(struct child *c);
void child_start(struct child *c, const char *bootstrap);
void child_start_bytes(struct child *c, const void *bytes, size_t len);
void child_fini(struct child *c);

/* Wait until there are so many messages, bytes and ends. */
void child_await(struct child *c, unsigned messages, size_t bytes,
                 unsigned ends);
void child_await_exit(struct child *c, int code);
void child_await_signal(struct child *c, int sig);

/* How many descriptors this process has. */
int files_open(void);

/* The result is main's: the child's program in a child, else the suite. */
#define PROCESS_MAIN(name, ...)                                                \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        const TTest *tests[] = {__VA_ARGS__};                                  \
        return coact__process_is_child(argc, argv)                             \
                   ? process_program(argv)                                     \
                   : suite_main(argc, argv, name, tests,                       \
                                sizeof(tests) / sizeof(tests[0]));             \
    }

#endif
