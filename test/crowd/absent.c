/*
 * absent.c - what the machine of crowd.h does not have: processor clocks, a
 * kernel that tells of threads, descriptors, signal stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/altstack.h"
#include "runtime/oracle.h"
#include "runtime/poller.h"
#include "runtime/threadstate.h"

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
coact__threadstate_read(pid_t tid, struct coact__threadstate *out)
{
    (void)tid;
    *out = (struct coact__threadstate){.cpu_ns = -1,
                                       .waited_ns = -1,
                                       .call = COACT__THREADSTATE_CALL_UNKNOWN,
                                       .state = '?'};
    return -ENOTSUP;
}

void
coact__threadstate_span(const struct coact__threadstate *before,
                        const struct coact__threadstate *after, int64_t wall_ns,
                        struct coact__threadspan *out)
{
    (void)before, (void)after, (void)wall_ns;
    *out = (struct coact__threadspan){0}; // all of it is in doubt
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
