/*
 * demote.c - setpriority, which on Linux is about one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/demote.h"

#include "runtime/memory.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICEST 19

bool
coact__demote(pid_t tid, int *nice_before)
{
    errno = 0;
    *nice_before = getpriority(PRIO_PROCESS, (id_t)tid);
    return errno == 0 && setpriority(PRIO_PROCESS, (id_t)tid, NICEST) == 0;
}

bool
coact__promote_self(int nice_before)
{
    return !coact__fails() &&
           setpriority(PRIO_PROCESS, (id_t)gettid(), nice_before) == 0;
}
