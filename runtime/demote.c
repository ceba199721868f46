/*
 * demote.c - the policy of one thread, SCHED_IDLE, and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/demote.h"

#include "runtime/memory.h"

#include <sched.h>
#include <unistd.h>

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

bool
coact__promote_self(int policy_before)
{
    return !coact__fails() && set_policy(gettid(), policy_before);
}
