/*
 * relations.h - monitors, links, timers, names and calls, as the other parts of
 * an actor's life see them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_RELATIONS_H
#define COACT_ACTORS_RELATIONS_H

#include <coact/error.h>
#include <coact/ref.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coact_mailbox;
struct coact_runtime;
struct coact__actor;
struct coact__bond;
struct coact__envelope;
struct coact__item;
struct coact__request;
struct coact__watch;

/* ---- watch.c ---- */

/* A monitor that does not watch anybody yet; NULL when there is no memory. */
struct coact__watch *coact__watch_new(struct coact__actor *watcher);
/* From here on it does; what cannot be reached sends its news at once. */
coact_monitor_id coact__watch_start(struct coact__actor *watcher,
                                    struct coact__watch *watch,
                                    coact_ref target);
/* News of a monitor is in our inbox.  False: nobody wants it any more. */
bool coact__watch_news_arrived(struct coact__actor *actor,
                               struct coact__envelope *news);
/* It is handed to the actor: the monitor has done its work. */
void coact__watch_news_taken(struct coact__actor *actor,
                             struct coact__envelope *news);
void coact__watch_arrived(struct coact__actor *actor, struct coact__item *item);
void coact__watch_bounced(struct coact_runtime *runtime,
                          struct coact__item *item,
                          const struct coact_reason *reason);
void coact__watch_news_free(struct coact__envelope *news);
void coact__watches_drop(struct coact__actor *actor);
void coact__watches_tell(struct coact__actor *actor,
                         const struct coact_reason *reason);

/* ---- link.c ---- */

struct coact__bond *coact__bond_new(struct coact__actor *actor);
void coact__bond_start(struct coact__actor *actor, struct coact__bond *bond,
                       coact_ref peer);
void coact__link_arrived(struct coact__actor *actor, struct coact__item *item);
void coact__link_bounced(struct coact_runtime *runtime,
                         struct coact__item *item,
                         const struct coact_reason *reason);
/* Exit news, of a link or of coact_signal_exit: give its memory back. */
void coact__exit_news_free(struct coact_runtime *runtime,
                           struct coact__envelope *news);
/* An exit signal that goes along no link. */
int coact__signal_local(struct coact_runtime *runtime, coact_ref from,
                        coact_ref to, const struct coact_reason *reason);
void coact__links_tell(struct coact__actor *actor,
                       const struct coact_reason *reason);

/* ---- timer.c ---- */

/* A tick is handed to the actor: the next may come. */
void coact__tick_taken(struct coact__envelope *tick);
/* False: its timer was cancelled, and the memory is given back. */
bool coact__tick_arrived(struct coact__envelope *tick);
void coact__tick_free(struct coact__envelope *tick);
void coact__tickers_drop(struct coact__actor *actor);

/* ---- name.c ---- */

bool coact__mailbox_equal(const struct coact_mailbox *a,
                          const struct coact_mailbox *b);
int coact__name_add(struct coact__actor *actor, const char *name);
void coact__name_remove(struct coact__actor *actor);
/* Who has a name, and the name of his mailbox; -ENOENT. */
int coact__name_find(struct coact_runtime *runtime, const char *name,
                     coact_ref *out, char *mailbox, size_t bytes);

/* ---- ask.c ---- */

/* An ask that is under way.  The number in the high bits moves on with every
   call of whatever actor has the slot, so a late reply finds no call. */
enum coact__call_state {
    COACT__CALL_OVER,
    COACT__CALL_WAITING,
    COACT__CALL_CLAIMED, /* somebody writes the answer */
    COACT__CALL_ANSWERED,
    COACT__CALL_STATES = 4
};

/* The answer itself is in the extra: who has claimed the call may write there,
   since the caller waits for him. */
struct coact__call {
    _Atomic uint64_t word; /* number * COACT__CALL_STATES + state */
    _Atomic uint64_t peer; /* the call's number << 32 | the node that is to
                              answer; 0: ours */
};

/* Answer a call: with a reply (taken), or a failure.  -ESRCH: it was over;
   -EALREADY; or why it cannot reach the caller's node. */
int coact__call_answer(struct coact_runtime *runtime,
                       struct coact__request *request,
                       struct coact__envelope *reply, int rc,
                       const struct coact_reason *reason);
/* The call is to be answered by another node, or fail with the link to it. */
void coact__call_leaves(struct coact_runtime *runtime,
                        const struct coact__request *request, coact_ref to);
/* Claim a call to write its answer; NULL: it is over.  Then finish it. */
struct coact__actor *coact__call_claim(struct coact_runtime *runtime,
                                       const struct coact__request *request);
void coact__call_finish(struct coact__actor *caller,
                        struct coact__envelope *reply, int rc,
                        const struct coact_reason *reason);
/* Fail all calls that a node was to answer, the link to which is down. */
void coact__calls_lost(struct coact_runtime *runtime, uint32_t node,
                       const struct coact_reason *reason);
bool coact__call_is_over(struct coact_runtime *runtime,
                         const struct coact__request *request);

#endif
