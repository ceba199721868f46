/*
 * process_program.c - see process_program.h.
 *
 * Exit code 99 means that the program itself is wrong, whatever was tested.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/runtime/process_program.h"

#include "runtime/oracle.h"
#include "runtime/process.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WRONG 99
#define SECOND INT64_C(1000000000)

#define MUST(expression)                                                       \
    do {                                                                       \
        if (!(expression)) {                                                   \
            fprintf(stderr, "child: %s\n", #expression);                       \
            _exit(WRONG);                                                      \
        }                                                                      \
    } while (0)

static void
stay(void)
{
    for (;;) {
        pause();
    }
}

static void
loop_for_ever(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static void
block_all(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void
say(struct coact__process_child *child, const char *text)
{
    MUST(coact__process_child_send(child, text, strlen(text)) == 0);
}

static int
end(struct coact__process_child *child, int code)
{
    int64_t deadline_ns = coact__oracle_now_ns() + 8 * SECOND;
    MUST(coact__process_child_close(child, deadline_ns) == 0);
    return code;
}

/* echo */

struct echo {
    struct coact__process_child *child;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_quit;
};

static void
echo_message(void *owner, const void *bytes, size_t len)
{
    struct echo *echo = owner;
    if (len == 4 && memcmp(bytes, "quit", 4) == 0) {
        pthread_mutex_lock(&echo->lock);
        echo->has_quit = true;
        pthread_cond_signal(&echo->changed);
        pthread_mutex_unlock(&echo->lock);
        return;
    }
    MUST(coact__process_child_send(echo->child, bytes, len) == 0);
}

static int
do_echo(struct coact__process_child *child, const char *rest, size_t len)
{
    while (len > 0) {
        size_t piece = len < 50000 ? len : 50000;
        int rc = coact__process_child_send(child, rest, piece);
        if (rc == -EAGAIN) {
            sched_yield();
            continue;
        }
        MUST(rc == 0);
        rest += piece;
        len -= piece;
    }
    struct echo echo = {.child = child};
    pthread_mutex_init(&echo.lock, NULL);
    pthread_cond_init(&echo.changed, NULL);
    MUST(coact__process_child_listen(child, echo_message, &echo) == 0);
    MUST(coact__process_child_listen(child, echo_message, &echo) == -EALREADY);
    pthread_mutex_lock(&echo.lock);
    while (!echo.has_quit) {
        pthread_cond_wait(&echo.changed, &echo.lock);
    }
    pthread_mutex_unlock(&echo.lock);
    int code = end(child, 0);
    MUST(coact__process_child_send(child, "x", 1) == -ESHUTDOWN);
    return code;
}

/* burst */

static int
do_burst(struct coact__process_child *child, const char *rest)
{
    char how[16] = "";
    int count = 0;
    MUST(sscanf(rest, "%d %15s", &count, how) == 2);
    for (int i = 0; i < count; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%d", i);
        int rc;
        while ((rc = coact__process_child_send(child, text, (size_t)len)) ==
               -EAGAIN) {
            sched_yield();
        }
        MUST(rc == 0);
    }
    if (strcmp(how, "killed") == 0) {
        raise(SIGKILL);
    }
    return end(child, 0);
}

/* facts */

static size_t
put_status(char *text, size_t at, size_t size)
{
    FILE *status = fopen("/proc/self/status", "re");
    MUST(status != NULL);
    char line[256];
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "SigBlk", 6) == 0 ||
            strncmp(line, "SigIgn", 6) == 0 ||
            strncmp(line, "SigCgt", 6) == 0) {
            at += (size_t)snprintf(text + at, size - at, "%s", line);
        }
    }
    fclose(status);
    return at;
}

/* Taken before open, which has descriptors of its own. */
static void
put_files(char *text, size_t size)
{
    bool seen[1024] = {false};
    DIR *dir = opendir("/proc/self/fd");
    MUST(dir != NULL);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < 1024) {
            seen[fd] = true;
        }
    }
    closedir(dir);
    size_t at = (size_t)snprintf(text, size, "files");
    for (int fd = 0; fd < 1024; fd++) {
        if (seen[fd]) {
            at += (size_t)snprintf(text + at, size - at, " %d", fd);
        }
    }
    char target[64] = "";
    MUST(readlink("/proc/self/fd/0", target, sizeof(target) - 1) > 0);
    (void)snprintf(text + at, size - at, "\nstdin %s\n", target);
}

static int
do_facts(struct coact__process_child *child, char **argv, const char *files)
{
    char text[2048];
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    size_t at = (size_t)snprintf(
        text, sizeof(text), "%sargv %s %s\ndeath %d\ntest %s\n", files, argv[0],
        argv[1], death, getenv("COACT_TEST_WORD"));
    at = put_status(text, at, sizeof(text));
    MUST(coact__process_child_send(child, text, at) == 0);
    return end(child, 0);
}

/* parent */

struct parenthood {
    struct coact__process_child *child;
    pthread_mutex_t lock;
    struct coact__process *process;
};

static void
grandchild_said(void *owner, const void *bytes, size_t len)
{
    struct parenthood *we = owner;
    MUST(len == 5 && memcmp(bytes, "ready", 5) == 0);
    char text[32];
    pthread_mutex_lock(&we->lock);
    (void)snprintf(text, sizeof(text), "%d",
                   (int)coact__process_pid(we->process));
    pthread_mutex_unlock(&we->lock);
    say(we->child, text);
}

static void
grandchild_ended(void *owner, const struct coact__process_end *how)
{
    (void)owner;
    fprintf(stderr, "child: its own child ended, error %d\n", how->error);
    _exit(WRONG);
}

static int
do_parent(struct coact__process_child *child, const char *rest, size_t len)
{
    static const struct coact__process_events events = {
        .message = grandchild_said, .ended = grandchild_ended};
    struct parenthood we = {.child = child};
    pthread_mutex_init(&we.lock, NULL);
    struct coact__spawner *spawner;
    MUST(coact__spawner_start(&spawner, NULL) == 0);
    pthread_mutex_lock(&we.lock);
    MUST(coact__process_start(spawner, rest, len, &events, &we, &we.process) ==
         0);
    pthread_mutex_unlock(&we.lock);
    stay();
    return WRONG;
}

/* The verbs. */

static int
do_spin(struct coact__process_child *child, const char *rest)
{
    block_all();
    if (strcmp(rest, "untied") == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
    }
    say(child, "ready");
    loop_for_ever();
    return WRONG;
}

static int
do_deaf(struct coact__process_child *child)
{
    say(child, "ready");
    close(3);
    stay();
    return WRONG;
}

static void
never_open(void)
{
    block_all();
    // The test knows us by a message; its first byte is the packet's kind.
    static const char packet[] = "\003ready";
    MUST(write(3, packet, sizeof(packet) - 1) == (ssize_t)sizeof(packet) - 1);
    loop_for_ever();
}

int
process_program(char **argv)
{
    char files[256];
    put_files(files, sizeof(files));
    MUST(strncmp(files, "files 0 1 2 3\n", 14) == 0);
    const char *word = getenv("COACT_TEST_NEVER_OPENS");
    if (word != NULL && getenv("COACT_TEST_MIDDLE") == NULL) {
        never_open();
    }
    unsetenv("COACT_TEST_MIDDLE");
    struct coact__process_child *child;
    int rc = coact__process_child_open(&child);
    if (rc != 0) {
        fprintf(stderr, "child: open says %d\n", rc);
        return WRONG;
    }
    MUST(coact__process_child_open(&child) == -EALREADY);
    MUST(!coact__process_is_child(2, argv));

    size_t bytes;
    const char *text = coact__process_child_bootstrap(child, &bytes);
    const char *space = memchr(text, ' ', bytes);
    size_t verb = space != NULL ? (size_t)(space - text) : bytes;
    const char *rest = text + verb + (space != NULL);
    size_t rest_bytes = bytes - (size_t)(rest - text);
#define IS(name) (verb == strlen(name) && memcmp(text, name, verb) == 0)
    if (IS("echo")) {
        return do_echo(child, rest, rest_bytes);
    }
    if (IS("exit")) {
        return end(child, atoi(rest));
    }
    if (IS("signal")) {
        signal(atoi(rest), SIG_DFL); // a sanitizer may have taken it
        raise(atoi(rest));
        stay();
    }
    if (IS("burst")) {
        return do_burst(child, rest);
    }
    if (IS("facts")) {
        return do_facts(child, argv, files);
    }
    if (IS("idle")) {
        say(child, "ready");
        stay();
    }
    if (IS("spin")) {
        return do_spin(child, rest);
    }
    if (IS("deaf")) {
        return do_deaf(child);
    }
    if (IS("parent")) {
        return do_parent(child, rest, rest_bytes);
    }
    return WRONG;
}
