/*
 * program.h - a program run by coact_main, seen from outside.
 *
 * Each program runs in a process of its own, forked before any thread is there;
 * what it says on standard error is read through a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_PROGRAM_H
#define COACT_TEST_PROGRAM_H

#include "test/support/suite.h"
#include "test/support/valgrind.h"

#include <coact/actor.h>
#include <coact/main.h>

#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SOON coact_in_ms(unhurried_ms(8000))

/* ---- A program, from outside --------------------------------------------- */

struct run {
    pid_t pid;
    int fd;
    char said[1 << 15];
    size_t bytes;
    int status;
};

void start(struct run *run, const struct coact_program *program, int argc,
           char **argv);
void start_plain(struct run *run, const struct coact_program *program);

/* Read until it has said this; NULL: until nobody can say anything more. */
void await_words(struct run *run, const char *words);
void await_end(struct run *run);

#define CODE(run, code)                                                        \
    ck_assert_msg(WIFEXITED((run)->status) &&                                  \
                      WEXITSTATUS((run)->status) == (code),                    \
                  "status %x\n%.3000s", (unsigned)(run)->status, (run)->said)
#define SAID(run, words)                                                       \
    ck_assert_msg(strstr((run)->said, words) != NULL,                          \
                  "it did not say: %s\n%.3000s", words, (run)->said)

/* ---- From inside --------------------------------------------------------- */

struct toy_is {
    int32_t pid;
};
COACT_MESSAGE(toy_is, (1, pid));
COACT_SIGNAL_REQUEST(who, toy_is);
COACT_SIGNAL(go);
COACT_MAILBOX(toy, who, go);

void say(const char *words);

/* For coact_defer: says "cleaned". */
void say_cleaned(void *arg);

/* Answers who it is; says "cleaned" at its end. */
void idle_run(toy_self self, void *arg);

/* A main's: spawn it, say "ready", and wait to be asked to end. */
int spawn_and_wait(toy_coact_body *body, const char *label);

/* A program of this main; its one isolated body is idle_run. */
struct coact_program program_of(int (*fn)(int argc, char **argv));

#endif
