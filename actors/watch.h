/*
 * watch.h - a monitor, from both its ends.
 *
 * One allocation, made when the monitor is, holds everything that will ever be
 * sent for it: the request to the target, its withdrawal, and the news.  So no
 * news is ever lost for want of memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_WATCH_H
#define COACT_ACTORS_WATCH_H

#include "actors/life.h"

/* A place on a list that its owner alone touches. */
struct coact__ties {
    struct coact__watch *next, *prev;
};

struct coact__watch {
    // A hold for each list it is on and each item of it that is under way.
    _Atomic uint32_t holds;
    struct coact__ties watcher_ties, target_ties;
    bool is_watching; /* on the watcher's list; the watcher's */
    bool is_watched;  /* on the target's list; the target's */
    bool has_arrived; /* its news is in the watcher's queue; the watcher's */
    coact_ref watcher, target;
    struct coact__item request, withdrawal;
    struct {
        struct coact__envelope envelope;
        struct coact_down down;
    } news;
};

static inline struct coact__watch *
coact__watch_of_news(struct coact__envelope *envelope)
{
    return (struct coact__watch *)(void *)((char *)envelope -
                                           offsetof(struct coact__watch, news));
}

/* Send the news to the watcher; the caller's hold goes with it. */
void coact__watch_fire(struct coact_runtime *runtime,
                       struct coact__watch *watch,
                       const struct coact_reason *reason);
void coact__watch_unhold(struct coact__watch *watch);

/* For a watcher on another node: a watch with holds for its tie and for the
   request that coact__watch_begin sends.  NULL without memory. */
struct coact__watch *coact__watch_from(coact_ref watcher, coact_ref target,
                                       uint64_t id);
void coact__watch_begin(struct coact_runtime *runtime,
                        struct coact__watch *watch);
/* It is over; the tie's hold goes with the withdrawal. */
void coact__watch_withdraw(struct coact_runtime *runtime,
                           struct coact__watch *watch);

#endif
