/*
 * program.c - see program.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/program.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
start(struct run *run, const struct coact_program *program, int argc,
      char **argv)
{
    int fds[2];
    memset(run, 0, sizeof(*run));
    ck_assert_int_eq(pipe(fds), 0);
    run->pid = fork();
    ck_assert_int_ge(run->pid, 0);
    if (run->pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        exit(coact_main(argc, argv, program));
    }
    close(fds[1]);
    run->fd = fds[0];
}

void
start_plain(struct run *run, const struct coact_program *program)
{
    static char name[] = "/usr/bin/prog";
    char *argv[] = {name, NULL};
    start(run, program, 1, argv);
}

void
await_words(struct run *run, const char *words)
{
    while (words == NULL || strstr(run->said, words) == NULL) {
        struct pollfd fd = {.fd = run->fd, .events = POLLIN};
        int rc = poll(&fd, 1, unhurried_ms(9000));
        ck_assert_msg(rc == 1, "it does not say %s\n%.3000s",
                      words != NULL ? words : "good-bye", run->said);
        ssize_t got = read(run->fd, run->said + run->bytes,
                           sizeof(run->said) - 1 - run->bytes);
        ck_assert_int_ge(got, 0);
        ck_assert_msg(got > 0 || words == NULL, "it never said %s\n%.3000s",
                      words, run->said);
        if (got == 0) {
            return;
        }
        run->bytes += (size_t)got;
    }
}

void
await_end(struct run *run)
{
    await_words(run, NULL);
    ck_assert_int_eq(waitpid(run->pid, &run->status, 0), run->pid);
    close(run->fd);
}

void
say(const char *words)
{
    fprintf(stderr, "%s\n", words);
}

void
say_cleaned(void *arg)
{
    (void)arg;
    say("cleaned");
}

void
idle_run(toy_self self, void *arg)
{
    (void)arg;
    COACT_CHECK(coact_defer(say_cleaned, NULL) == 0);
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(who, m): {
            coact_reply(m, .pid = getpid());
        } break;
        }
    }
}

static const struct coact_body bodies[] = {COACT_BODY(toy, idle_run)};

struct coact_program
program_of(int (*fn)(int argc, char **argv))
{
    return (struct coact_program){
        .name = "prog",
        .main = fn,
        .options = {.workers = 2,
                    .node.heartbeat_ns = unhurried_heartbeat_ns()},
        .bodies = bodies,
        .body_count = COUNT(bodies),
        .usage = "usage: prog",
        .version = "prog 1.2"};
}

int
spawn_and_wait(toy_coact_body *body, const char *label)
{
    toy_ref toy;
    COACT_CHECK(coact_spawn_with(toy, &toy, body, NULL, .label = label) == 0);
    say("ready");
    return coact_sleep(COACT_FOREVER) == -ECANCELED ? 0 : 6;
}
