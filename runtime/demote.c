/*
 * demote.c - the policy of one thread, SCHED_IDLE, and back; and short slices.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/demote.h"

#include "runtime/memory.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000 /* the shortest that there is */

/* The kernel's, without what came later; the headers of Debian 12 have none. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static bool
set_policy(pid_t tid, int policy)
{
    const struct sched_param none = {.sched_priority = 0};
    return sched_setscheduler(tid, policy, &none) == 0;
}

bool
coact__demote(pid_t tid, int *policy_before)
{
    *policy_before = sched_getscheduler(tid);
    // A host may have given it a policy of its own, which we leave.
    return (*policy_before == SCHED_OTHER || *policy_before == SCHED_BATCH) &&
           set_policy(tid, SCHED_IDLE);
}

void
coact__be_brief(bool is_brief)
{
    struct attributes now = {0};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) != 0 ||
        now.policy != SCHED_OTHER) {
        return;
    }
    now.size = sizeof(now);
    now.runtime_ns = is_brief ? SLICE_NS : 0;
    // A kernel that does not know it takes no notice, or refuses.
    (void)syscall(SYS_sched_setattr, 0, &now, 0);
}

bool
coact__promote_self(int policy_before)
{
    return !coact__fails() && set_policy(gettid(), policy_before);
}
