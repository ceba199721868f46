/*
 * io.c - try, and wait where it would block.
 *
 * Each call tries its operation first: most of the time there is something to
 * read, and room to write.  Only then the descriptor goes to the poller.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/io.h"

#include "actors/life.h"
#include "actors/limit_internal.h"
#include "actors/switch_check.h"
#include "runtime/here.h"
#include "runtime/oracle.h"
#include "runtime/poller.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* What the system said last, on whatever thread this is. */
static int
system_error(void)
{
    return -*coact__errno_here();
}

static bool
is_ready(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    return poll(&one, 1, 0) > 0;
}

static int
begin(struct coact__actor *actor)
{
    coact__switch_check(actor, "I/O");
    return coact__wait_begin(actor);
}

/* One sleep, or none.  0: look again. */
static int
wait_once(struct coact__actor *actor, int fd, short events, int64_t deadline_ns)
{
    int rc = coact__interrupted(actor);
    if (rc == 0 && deadline_ns != COACT_FOREVER &&
        coact__oracle_now_ns() >= deadline_ns) {
        rc = -ETIMEDOUT;
    }
    if (rc < 0) {
        return rc;
    }
    bool is_limited = (actor->traits & COACT__LIMITED) != 0;
    if (is_limited) {
        coact__limits_pause(actor, false);
    }
    coact__note_wait(actor, "I/O");
    rc = coact__poller_wait_fd(&actor->task, fd, events, deadline_ns);
    coact__note_awake(actor);
    coact__drain(actor);
    if (is_limited) {
        coact__limits_resume(actor);
    }
    return rc == -EPERM ? 0 : rc; // a regular file: always ready
}

static int
wait_fd(struct coact__actor *actor, int fd, short events, int64_t deadline_ns)
{
    int rc = begin(actor);
    while (rc == 0 && !is_ready(fd, events)) {
        rc = wait_once(actor, fd, events, deadline_ns);
    }
    return rc;
}

int
coact_wait_fd(int fd, short events, int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_wait_fd");
    return actor != NULL ? wait_fd(actor, fd, events, deadline_ns) : -EPERM;
}

/* After an operation that failed: 0 if it may be tried again. */
static int
try_again(struct coact__actor *actor, int fd, short events, int64_t deadline_ns)
{
    int rc = system_error();
    if (rc == -EINTR) {
        return 0;
    }
    return rc == -EAGAIN ? wait_once(actor, fd, events, deadline_ns) : rc;
}

ssize_t
coact_read(int fd, void *buffer, size_t bytes, int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_read");
    int rc = actor != NULL ? begin(actor) : -EPERM;
    while (rc == 0) {
        ssize_t got = read(fd, buffer, bytes);
        if (got >= 0) {
            return got;
        }
        rc = try_again(actor, fd, POLLIN, deadline_ns);
    }
    return rc;
}

/* A socket whose reader is gone says so by its error, not by a signal. */
static ssize_t
put(int fd, const void *buffer, size_t bytes)
{
    ssize_t sent = send(fd, buffer, bytes, MSG_NOSIGNAL);
    return sent < 0 && system_error() == -ENOTSOCK ? write(fd, buffer, bytes)
                                                   : sent;
}

ssize_t
coact_write(int fd, const void *buffer, size_t bytes, int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_write");
    int rc = actor != NULL ? begin(actor) : -EPERM;
    size_t done = 0;
    while (rc == 0 && done < bytes) {
        ssize_t put_now = put(fd, (const char *)buffer + done, bytes - done);
        if (put_now >= 0) {
            done += (size_t)put_now;
        } else {
            rc = try_again(actor, fd, POLLOUT, deadline_ns);
        }
    }
    return done > 0 || rc == 0 ? (ssize_t)done : rc;
}

int
coact_accept(int fd, int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_accept");
    int rc = actor != NULL ? begin(actor) : -EPERM;
    while (rc == 0) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0) {
            return accepted;
        }
        rc = try_again(actor, fd, POLLIN, deadline_ns);
    }
    return rc;
}

static int
await_connection(struct coact__actor *actor, int fd, int64_t deadline_ns)
{
    int rc = wait_fd(actor, fd, POLLOUT, deadline_ns);
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0) {
        rc = system_error();
    }
    return rc < 0 ? rc : -error;
}

int
coact_connect(const struct sockaddr *address, socklen_t bytes,
              int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_connect");
    int rc = actor != NULL ? begin(actor) : -EPERM;
    if (rc < 0) {
        return rc;
    }
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return system_error();
    }
    if (connect(fd, address, bytes) < 0) {
        rc = system_error();
        rc = rc == -EINPROGRESS ? await_connection(actor, fd, deadline_ns) : rc;
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}
