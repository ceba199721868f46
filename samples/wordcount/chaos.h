/*
 * chaos.h - a worker process, and how to kill it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_CHAOS_H
#define WORDCOUNT_CHAOS_H

#include <coact/ref.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who can be killed.  A descriptor, not a number: a number may by now be that
   of somebody else's process. */
struct victim {
    coact_ref actor;
    int fd; /* of its process; -1: it has none of its own */
};

/* Make one of a live actor and the number of its process. */
struct victim victim_of(coact_ref actor, int32_t pid);
void victim_close(struct victim *victim);

/* SIGKILL; false if it was gone already.  An actor of our own process is killed
   alone. */
bool victim_kill(const struct victim *victim);

/* One of count, each as likely as another. */
size_t chaos_choose(size_t count);

#endif
