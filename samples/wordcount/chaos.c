/*
 * chaos.c - see chaos.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chaos.h"

#include <coact/actor.h>

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <unistd.h>

struct victim
victim_of(coact_ref actor, int32_t pid)
{
    return (struct victim){actor, pid == getpid() ? -1 : pidfd_open(pid, 0)};
}

void
victim_close(struct victim *victim)
{
    if (victim->fd >= 0) {
        close(victim->fd);
        victim->fd = -1;
    }
}

bool
victim_kill(const struct victim *victim)
{
    return victim->fd >= 0
               ? pidfd_send_signal(victim->fd, SIGKILL, NULL, 0) == 0
               : coact_kill(victim->actor) == 0;
}

size_t
chaos_choose(size_t count)
{
    uint64_t dice = 0;
    (void)!getrandom(&dice, sizeof(dice), 0);
    return (size_t)(dice % count);
}
