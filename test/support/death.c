/*
 * death.c - what kills a process that does something forbidden.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/death.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void
child(void (*act)(void *), void *arg, int to)
{
    // A sanitizer would turn the signal into an exit with a report.
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    prctl(PR_SET_DUMPABLE, 0);
    if (to >= 0) {
        dup2(to, STDERR_FILENO);
    }
    act(arg);
}

static int
death_writing_to(int to, void (*act)(void *), void *arg)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        child(act, arg, to);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

int
death_of(void (*act)(void *), void *arg)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int death = death_writing_to(null, act, arg);
    if (null >= 0) {
        close(null);
    }
    return death;
}

int
death_with_words(void (*act)(void *), void *arg, char *words, size_t bytes)
{
    int file = memfd_create("words", MFD_CLOEXEC);
    ck_assert_int_ge(file, 0);
    int death = death_writing_to(file, act, arg);
    ssize_t got = pread(file, words, bytes - 1, 0);
    ck_assert_int_ge(got, 0);
    words[got] = '\0';
    close(file);
    return death;
}
