/*
 * supervisor_list.h - the children of one supervisor, and four ways to them.
 *
 * In order of start, by address, by id, and by the time at which something is
 * due for them.  All but the first are there so that the restart of one child
 * costs the same among a hundred thousand as among three.
 *
 * Only the supervisor's own actor touches any of this.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SUPERVISOR_LIST_H
#define COACT_ACTORS_SUPERVISOR_LIST_H

#include "actors/supervisor_plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coact__sup_request;

/* Requests that wait for something, oldest first; linked in the messages. */
struct coact__asks {
    struct coact__sup_request *first, *last;
};

#define COACT__NOT_DUE SIZE_MAX

/*
 * A child.
 *
 *   state    | address | what is due
 *   STOPPED  | none    | nothing
 *   STARTING | its own | the end of start_ns
 *   RUNNING  | its own | nothing
 *   STOPPING | its own | the end of shutdown_ns; killed: of the wait after it
 *   WAITING  | none    | its restart
 */
struct coact__child {
    struct coact__child *prev, *next; /* in order of start */
    struct coact__child *next_by_ref, *next_by_id;
    struct coact__child_plan *plan;
    uint64_t order; /* grows along the list */
    uint64_t id_hash;

    coact_ref ref;
    coact_monitor_id monitor;
    enum coact_child_state state;
    bool is_turn_due;   /* the group's restart has still to start it */
    bool is_asked;      /* STOPPING: the signal that asks it to has been sent */
    bool is_killed;     /* STOPPING: its time to end by itself is over */
    bool is_start_late; /* STOPPING: because start_ns had passed */
    bool is_new;        /* came with a request that is not answered yet */

    int64_t due_ns;
    size_t due_at; /* the place in the heap, or COACT__NOT_DUE */

    int64_t since_ns;   /* when the state began */
    int64_t started_ns; /* when this life began */
    uint64_t starts;
    uint32_t failures; /* in a row, for the backoff */
    uint32_t end_count;
    struct coact_child_end *ends; /* COACT_CHILD_ENDS of them, newest first */

    struct coact__asks starters; /* are answered when it has started, or not */
    struct coact__asks finders;  /* want its address, when it has one */
    struct coact__asks stoppers; /* are answered when it has ended */
};

struct coact__list {
    struct coact__child *first, *last;
    size_t count;
    uint64_t next_order;
    struct coact__child **by_ref, **by_id;
    size_t buckets; /* of each; a power of two, at least count, or 0 */
    struct coact__child **due; /* a heap, the earliest first */
    size_t due_count, due_room;
};

/* Add a child at the end, STOPPED; the plan is referenced.  Afterwards nothing
   done to it can lack memory.  0, -EEXIST (the id) or -ENOMEM. */
COACT_CHECKED int coact__list_add(struct coact__list *list,
                                  struct coact__child_plan *plan,
                                  struct coact__child **out);

/* Forget a child; it has no address and no request waits for it. */
void coact__list_remove(struct coact__list *list, struct coact__child *child);

/* Remove all, running or not. */
void coact__list_fini(struct coact__list *list);

struct coact__child *coact__list_by_id(const struct coact__list *list,
                                       const char *id);
struct coact__child *coact__list_by_ref(const struct coact__list *list,
                                        coact_ref ref);

/* Give a child its address, or take it back. */
void coact__list_bind(struct coact__list *list, struct coact__child *child,
                      coact_ref ref);
void coact__list_unbind(struct coact__list *list, struct coact__child *child);

/* Something is due for a child at a time (COACT_FOREVER: nothing is). */
void coact__list_set_due(struct coact__list *list, struct coact__child *child,
                         int64_t due_ns);

/* For whom something is due first, or NULL. */
struct coact__child *coact__list_first_due(const struct coact__list *list);

#endif
