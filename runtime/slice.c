/*
 * slice.c - sched_setattr, for what glibc has no call.
 *
 * sched_runtime is the slice of an ordinary thread, since Linux 6.12.  Threads
 * that the host has put under another policy are left alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The most that the kernel takes. */
#define LONG_SLICE_NS UINT64_C(100000000)

/* The kernel's struct sched_attr, which glibc has only lately. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static void
set_slice(pid_t tid, uint64_t ns)
{
    struct attributes now = {.size = sizeof(now)};
    if (syscall(SYS_sched_getattr, tid, &now, sizeof(now), 0U) != 0 ||
        now.policy != SCHED_OTHER) {
        return;
    }
    now.size = sizeof(now);
    now.runtime_ns = ns; // 0: the system's
    (void)syscall(SYS_sched_setattr, tid, &now, 0U);
}

void
coact__slice_lengthen(pid_t tid)
{
    set_slice(tid, LONG_SLICE_NS);
}

void
coact__slice_reset(pid_t tid)
{
    set_slice(tid, 0);
}
