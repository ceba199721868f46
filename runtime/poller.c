/*
 * poller.c - epoll, registered once an event.
 *
 * The eventfd is level-triggered and only read by who polls, so a kick that
 * comes before the sleep prevents it.  An event carries the task's address:
 * tasks are type-stable memory, and a wake-up that is too late is one that
 * finds nothing changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/poller.h"

#include "runtime/memory.h"
#include "runtime/scheduler.h"
#include "runtime/task.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64

static int
add_kick(struct coact__poller *poller)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    if (coact__fails()) {
        return -ENOMEM;
    }
    return epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, poller->kick_fd,
                     &event) == 0
               ? 0
               : -errno;
}

/* A descriptor, or a negative code. */
static int
open_epoll(void)
{
    if (coact__fails()) {
        return -EMFILE;
    }
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int
open_kick(void)
{
    if (coact__fails()) {
        return -EMFILE;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

int
coact__poller_init(struct coact__poller *poller)
{
    atomic_init(&poller->has_no_pwait2, false);
    atomic_init(&poller->waiting, 0);
    poller->epoll_fd = open_epoll();
    if (poller->epoll_fd < 0) {
        return poller->epoll_fd;
    }
    poller->kick_fd = open_kick();
    int rc = poller->kick_fd < 0 ? poller->kick_fd : add_kick(poller);
    if (rc < 0) {
        if (poller->kick_fd >= 0) {
            close(poller->kick_fd);
        }
        close(poller->epoll_fd);
    }
    return rc;
}

void
coact__poller_fini(struct coact__poller *poller)
{
    close(poller->kick_fd);
    close(poller->epoll_fd);
}

/* Milliseconds, rounded up, so that we do not wake early and spin. */
static int
in_ms(int64_t ns)
{
    if (ns >= (int64_t)INT_MAX * 1000000) {
        return -1;
    }
    return (int)((ns + 999999) / 1000000);
}

static int
wait_events(struct coact__poller *poller, struct epoll_event *events,
            int64_t timeout_ns)
{
    if (timeout_ns > 0 && timeout_ns != INT64_MAX &&
        !atomic_load_explicit(&poller->has_no_pwait2, memory_order_relaxed)) {
        struct timespec timeout = {timeout_ns / 1000000000,
                                   timeout_ns % 1000000000};
        int n = epoll_pwait2(poller->epoll_fd, events, EVENTS_AT_ONCE, &timeout,
                             NULL);
        if (n >= 0 || errno != ENOSYS) {
            return n;
        }
        // Relaxed: every thread finds the same out for itself.
        atomic_store_explicit(&poller->has_no_pwait2, true,
                              memory_order_relaxed);
    }
    return epoll_wait(poller->epoll_fd, events, EVENTS_AT_ONCE,
                      in_ms(timeout_ns));
}

int
coact__poller_poll(struct coact__poller *poller, int64_t timeout_ns)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int n = wait_events(poller, events, timeout_ns);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL) {
            coact__task_wake(events[i].data.ptr);
            continue;
        }
        uint64_t kicks;
        // Non-blocking; another poller may have been faster.
        ssize_t got = read(poller->kick_fd, &kicks, sizeof(kicks));
        (void)got;
    }
    return n < 0 ? 0 : n;
}

void
coact__poller_look(struct coact__poller *poller)
{
    // Relaxed: who has just begun to wait is seen at the next look.
    if (atomic_load_explicit(&poller->waiting, memory_order_relaxed) > 0) {
        coact__poller_poll(poller, 0);
    }
}

void
coact__poller_kick(struct coact__poller *poller)
{
    uint64_t one = 1;
    // It can only fail when 2^64 - 2 kicks wait already.
    ssize_t put = write(poller->kick_fd, &one, sizeof(one));
    (void)put;
}

int
coact__poller_wait_fd(struct coact__task *task, int fd, short events,
                      int64_t deadline_ns)
{
    struct coact__poller *poller = &task->scheduler->poller;
    struct epoll_event event = {
        .events = ((events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
                  ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0) |
                  (uint32_t)EPOLLRDHUP | (uint32_t)EPOLLONESHOT,
        .data = {.ptr = task}};
    if (coact__fails()) {
        return -ENOMEM;
    }
    if (epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return -errno;
    }
    atomic_fetch_add_explicit(&poller->waiting, 1, memory_order_relaxed);
    coact__task_wait(task, COACT__INBOX_DEAF, deadline_ns);
    atomic_fetch_sub_explicit(&poller->waiting, 1, memory_order_relaxed);
    epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    return 0;
}
