/*
 * poller.h - where a runtime sleeps when it has nothing to run: one epoll
 * instance, and an eventfd with which others end that sleep.
 *
 * A task that waits for a descriptor is registered for one event.  The event
 * only wakes it: it tries its operation again, and may find that it must wait
 * once more.  So a late event for a task that has gone on does no harm.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_POLLER_H
#define COACT_RUNTIME_POLLER_H

#include "runtime/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__task;

struct coact__poller {
    int epoll_fd;
    int kick_fd;
    _Atomic bool has_no_pwait2; /* an old kernel, or Valgrind */
    _Atomic uint32_t waiting;   /* tasks that wait for a descriptor */
};

COACT_CHECKED int coact__poller_init(struct coact__poller *poller);
void coact__poller_fini(struct coact__poller *poller);

/* Wake tasks whose descriptors are ready.  Sleeps up to timeout_ns for the
   first (0: does not, INT64_MAX: for ever).  The number of events, kicks
   included.  from any */
int coact__poller_poll(struct coact__poller *poller, int64_t timeout_ns);

/* In passing: the same without a sleep, and without a system call while no task
   waits.  Leaves kicks to those who sleep. */
void coact__poller_look(struct coact__poller *poller);

/* End a sleep in poll, or prevent the next.  from any; async-signal-safe */
void coact__poller_kick(struct coact__poller *poller);

/* By a task: sleep until the descriptor is ready for `events` (POLLIN, POLLOUT),
   the deadline passes, or somebody wakes it.  0 or -EBADF, -EPERM (a file
   that is always ready), -EEXIST (another waits for it), -ENOMEM. */
COACT_CHECKED int coact__poller_wait_fd(struct coact__task *task, int fd,
                                        short events, int64_t deadline_ns);

#endif
