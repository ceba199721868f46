/*
 * process_support.c - see process_support.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/runtime/process_support.h"

#include "runtime/oracle.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PATIENCE (100 * SECOND) /* the suite's own limit comes earlier */

struct coact__spawner *spawner;

static int64_t
soon(void)
{
    return coact__oracle_now_ns() + PATIENCE;
}

void
child_heard(void *owner, const void *bytes, size_t len)
{
    struct child *c = owner;
    pthread_mutex_lock(&c->lock);
    ck_assert_uint_eq(c->ends, 0);
    ck_assert_uint_lt(c->bytes + len, HEARD_MAX);
    memcpy(c->text + c->bytes, bytes, len);
    c->bytes += len;
    c->text[c->bytes] = '\0';
    c->messages++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void
child_ended(void *owner, const struct coact__process_end *end)
{
    struct child *c = owner;
    pthread_mutex_lock(&c->lock);
    c->ends++;
    c->end = *end;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

const struct coact__process_events child_events = {child_heard, child_ended};

void
child_init(struct child *c)
{
    *c = (struct child){0};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    c->text = calloc(1, HEARD_MAX);
    ck_assert_ptr_nonnull(c->text);
}

void
child_fini(struct child *c)
{
    coact__process_unref(c->process);
    free(c->text);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
}

void
child_start_bytes(struct child *c, const void *bytes, size_t len)
{
    child_init(c);
    ck_assert_int_eq(coact__process_start(spawner, bytes, len, &child_events, c,
                                          &c->process),
                     0);
}

void
child_start(struct child *c, const char *bootstrap)
{
    child_start_bytes(c, bootstrap, strlen(bootstrap));
}

/* Wait for so many messages or bytes, or for the end. */
void
child_await(struct child *c, unsigned messages, size_t bytes, unsigned ends)
{
    int64_t deadline_ns = soon();
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / SECOND),
                             .tv_nsec = (long)(deadline_ns % SECOND)};
    pthread_mutex_lock(&c->lock);
    while (c->messages < messages || c->bytes < bytes || c->ends < ends) {
        ck_assert_int_eq(pthread_cond_timedwait(&c->changed, &c->lock, &until),
                         0);
    }
    pthread_mutex_unlock(&c->lock);
}

void
child_await_exit(struct child *c, int code)
{
    child_await(c, 0, 0, 1);
    ck_assert_int_eq(c->end.error, 0);
    ck_assert_int_eq(c->end.signal, 0);
    ck_assert(c->end.exited);
    ck_assert_int_eq(c->end.exit_code, code);
}

void
child_await_signal(struct child *c, int sig)
{
    child_await(c, 0, 0, 1);
    ck_assert_int_eq(c->end.error, 0);
    ck_assert(!c->end.exited);
    ck_assert_int_eq(c->end.signal, sig);
}

void
spawner_open(const struct coact__spawner_options *options)
{
    ck_assert_int_eq(coact__spawner_start(&spawner, options), 0);
}

static void
ck_no_children(void)
{
    siginfo_t info;
    ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    ck_assert_int_eq(errno, ECHILD);
}

void
spawner_close(void)
{
    ck_assert_int_eq(coact__spawner_stop(spawner, soon()), 0);
    ck_no_children();
}

int
files_open(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}
