/*
 * absent.c - what the machine of crowd.h does not have: processor clocks,
 * descriptors, signal stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/altstack.h"
#include "runtime/oracle.h"
#include "runtime/poller.h"

#include <errno.h>

int
// NOLINTNEXTLINE(readability-non-const-parameter): the real one writes to it
coact__oracle_cpu_ns(pid_t tid, int64_t *out)
{
    (void)tid, (void)out;
    return -ENOTSUP;
}

void
coact__oracle_skip_to(int64_t now_ns)
{
    (void)now_ns;
}

/* The files under test are to do what they do on a real machine. */
bool
coact__oracle_is_simulated(void)
{
    return false;
}

int
coact__poller_init(struct coact__poller *poller)
{
    *poller = (struct coact__poller){0};
    return 0;
}

void
coact__poller_fini(struct coact__poller *poller)
{
    (void)poller;
}

void
coact__poller_look(struct coact__poller *poller)
{
    (void)poller; // no task waits for a descriptor
}

int
coact__poller_wait_fd(struct coact__task *task, int fd, short events,
                      int64_t deadline_ns)
{
    (void)task, (void)fd, (void)events, (void)deadline_ns;
    return -ENOTSUP;
}

void
coact__altstack_open(struct coact__altstack *altstack)
{
    *altstack = (struct coact__altstack){0};
}

void
coact__altstack_close(struct coact__altstack *altstack)
{
    (void)altstack;
}
