/*
 * hibernate.h - a task that sleeps keeps its address and gives back its pages.
 *
 * A parked task needs a few hundred bytes of a stack whose smallest piece is a
 * page.  To hibernate it, these bytes are copied out, the pages go back to the
 * kernel, and before it runs again they are copied to where they were: what
 * points into its stack from its own stack is right again.  What points there
 * from elsewhere finds zeros meanwhile, so a task must allow it.
 *
 * Only a task that listens for ever can hibernate: a wait with a deadline has
 * its timer on the stack, a deaf one what its waker writes to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_HIBERNATE_H
#define COACT_RUNTIME_HIBERNATE_H

#include <stdbool.h>
#include <stdint.h>

struct coact__task;
struct coact__worker;

/* The most that are hibernated together: none of them can be woken before all
   are done. */
#define COACT__HIBERNATE_BATCH 128

/* How many of a worker's are worth a batch while it has others to run; and how
   many there is room for: fewer than that fall asleep between two looks. */
#define COACT__HIBERNATE_SOME 64
#define COACT__DROWSY_MOST 512

/* When a task allows it. */
enum coact__hibernates {
    COACT__HIBERNATES_NEVER,
    COACT__HIBERNATES_LATER,  /* when somebody sweeps */
    COACT__HIBERNATES_AT_ONCE /* at its worker's next look */
};

/* Of each worker: its own that have fallen asleep and are to hibernate at once.
   They may have been woken since, or be others by now. */
struct coact__drowsy {
    struct coact__task *tasks[COACT__DROWSY_MOST];
    uint32_t count;
};

/* Hibernate those of these tasks that can be; it shuffles the array.
   from a worker, at a look */
void coact__hibernate(struct coact__worker *worker, struct coact__task **tasks,
                      uint32_t count);

/* Hibernate the worker's drowsy ones. */
void coact__hibernate_drowsy(struct coact__worker *worker);

/* A task is about to sleep and allows it.  True: it is listed as drowsy; false,
   also where the list is full: it is for a sweep to find. */
bool coact__hibernate_list(struct coact__worker *worker,
                           struct coact__task *task);

/* Put a task back on its stack, before it is switched to. */
void coact__hibernate_end(struct coact__worker *worker,
                          struct coact__task *task);

#endif
