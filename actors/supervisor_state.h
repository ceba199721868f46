/*
 * supervisor_state.h - what a supervisor is doing, for the files that do it.
 *
 * A supervisor never waits for a child: whatever takes time (an init, a
 * shutdown, a backoff) is a state of the child or of the group, and the loop in
 * supervisor.c goes on answering.  The files:
 *
 *   supervisor.c          the loop, and what it hears
 *   supervisor_start.c    one child: start it, and what comes of that
 *   supervisor_stop.c     one child, and all: stop them
 *   supervisor_restart.c  a child ended: who is restarted, and when
 *   supervisor_group.c    many children in order: stop, wait, start
 *   supervisor_ask.c      requests
 *   supervisor_report.c   lists, counts, the log
 *   supervisor_call.c     the public calls, which make the requests
 *
 * Only the supervisor's own actor touches any of this.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SUPERVISOR_STATE_H
#define COACT_ACTORS_SUPERVISOR_STATE_H

#include "actors/supervisor_limit.h"
#include "actors/supervisor_list.h"
#include "actors/supervisor_mail.h"

#include <coact/log.h>

/* It moves only down this list. */
enum coact__sup_mode {
    COACT__SUP_BUILDING, /* its first children start; a failure ends it */
    COACT__SUP_UP,
    COACT__SUP_ENDING, /* all children stop; nothing is started any more */
    COACT__SUP_OVER    /* no child is left */
};

/*
 * What is done with the children from `from` on, in order.
 *
 *   phase | at the cursor                        | then
 *   NONE  |                                      |
 *   STOP  | who stops now; from the last upward  | DELAY; ENDING: NONE
 *   DELAY | nobody: all of them have stopped     | START, at start_at_ns
 *   START | who starts now; from the first down  | NONE
 */
enum coact__sup_phase {
    COACT__SUP_NONE,
    COACT__SUP_STOP,
    COACT__SUP_DELAY,
    COACT__SUP_START
};

#define COACT__SUP_STATES 5 /* of enum coact_child_state */

struct coact__sup {
    struct coact__plan *plan;
    struct coact_runtime *runtime;
    coact_ref starter; /* its exit ends us, and so does nobody's */
    bool is_root;      /* begins when somebody waits for it */

    enum coact__sup_mode mode;
    enum coact__sup_phase phase;
    uint64_t from;
    struct coact__child *cursor;
    int64_t start_at_ns;

    struct coact__list list;
    struct coact__window window;
    size_t alive; /* children that have an address */
    size_t in_state[COACT__SUP_STATES];
    size_t supervisors; /* children that are one */
    size_t significant; /* children that are, and are not STOPPED */
    uint64_t restarts;

    struct coact__asks builders;  /* wait until all have started */
    struct coact__asks postponed; /* wait for the end of the group's restart */
    struct coact__asks enders;    /* wait for our end */
    int64_t build_deadline_ns;
    int64_t end_deadline_ns;
    bool is_late; /* end_deadline_ns has passed: all have been killed */
    char late[COACT_REASON_TEXT]; /* who made it late; a path */
    struct coact_reason end;      /* our own, from ENDING on */

    int64_t log_second; /* lines are counted in this one */
    uint32_t log_lines, log_held;
};

/* ---- supervisor.c ---- */

/* A supervisor that has not begun.  The plan is referenced. */
COACT_CHECKED int coact__sup_new(struct coact__plan *plan,
                                 struct coact_runtime *runtime,
                                 struct coact__sup **out);
void coact__sup_free(void *arg);

/* The body of a supervisor's actor; arg is the struct coact__sup. */
void coact__sup_body(coact__supervisor_self self, void *arg);

/* Put a child in another state, and keep the counts. */
void coact__sup_set_state(struct coact__sup *sup, struct coact__child *child,
                          enum coact_child_state state, int64_t now_ns);

static inline bool
coact__sup_is_alive(const struct coact__child *child)
{
    return !coact_ref_is_none(child->ref);
}

/* A deadline so much later; "for ever" stays that. */
static inline int64_t
coact__sup_after(int64_t now_ns, int64_t ns)
{
    return ns > COACT_FOREVER - now_ns ? COACT_FOREVER : now_ns + ns;
}

/* A child has ended, or counts as dead: on with whatever waited for that. */
void coact__sup_child_ended(struct coact__sup *sup, struct coact__child *child,
                            const struct coact_reason *reason);

/* Forget a child that does not run. */
void coact__sup_forget(struct coact__sup *sup, struct coact__child *child);

/* ---- supervisor_start.c ---- */

/* What became of a start.  FAILED: the child may be forgotten by now. */
enum coact__sup_start { COACT__RUNS, COACT__STARTS, COACT__FAILED };

/* What a child is to others: an isolated one is not its guardian. */
coact_ref coact__sup_address(const struct coact__child *child);

enum coact__sup_start coact__sup_start(struct coact__sup *sup,
                                       struct coact__child *child);
void coact__sup_has_started(struct coact__sup *sup, struct coact__child *child);
void coact__sup_start_failed(struct coact__sup *sup, struct coact__child *child,
                             const struct coact_reason *reason);

/* ---- supervisor_stop.c ---- */

/* Ask a child that runs to end, or kill it, as its plan says. */
void coact__sup_stop(struct coact__sup *sup, struct coact__child *child);
void coact__sup_kill(struct coact__sup *sup, struct coact__child *child);

/* A child that we stopped has ended. */
void coact__sup_has_stopped(struct coact__sup *sup, struct coact__child *child);

/* The time of a child that starts or stops is over. */
void coact__sup_is_overdue(struct coact__sup *sup, struct coact__child *child);

/* Stop everything, then end with this reason.  Said twice, the earlier deadline
   counts. */
void coact__sup_end(struct coact__sup *sup, const struct coact_reason *reason,
                    int64_t deadline_ns);

/* The deadline of that has passed. */
void coact__sup_end_is_late(struct coact__sup *sup);

/* Somebody below made it late. */
void coact__sup_blame(struct coact__sup *sup, const struct coact__child *child,
                      const char *below);

/* ---- supervisor_restart.c ---- */

/* A child ended by itself, having run. */
void coact__sup_has_ended(struct coact__sup *sup, struct coact__child *child,
                          const struct coact_reason *reason);

/* A child ended, or its start failed, and it is to be restarted. */
void coact__sup_failed(struct coact__sup *sup, struct coact__child *child,
                       const struct coact_reason *reason, bool start_failed);

/* ---- supervisor_group.c ---- */

/* Begin to start all children for the first time. */
void coact__sup_group_build(struct coact__sup *sup);

/* Stop the children from one on, wait, and start them again. */
void coact__sup_group_restart(struct coact__sup *sup, uint64_t from,
                              int64_t start_at_ns);

/* Stop all, one after another. */
void coact__sup_group_stop(struct coact__sup *sup);

/* Go on as far as it goes. */
void coact__sup_group_go(struct coact__sup *sup);

/* The delay is over. */
void coact__sup_group_start(struct coact__sup *sup);

/* True while the group has, or will have, stopped this child. */
bool coact__sup_group_stops(const struct coact__sup *sup,
                            const struct coact__child *child);

/* ---- supervisor_ask.c ---- */

void coact__sup_request(struct coact__sup *sup,
                        struct coact__sup_request *request);

/* The group's restart is over: do what had to wait. */
void coact__sup_resume(struct coact__sup *sup);

/* Keep a request for later. */
void coact__asks_add(struct coact__asks *asks,
                     struct coact__sup_request *request);

/* Answer all of them, and be rid of them.  why may be NULL. */
void coact__asks_answer(struct coact__asks *asks, int code, coact_ref ref,
                        const struct coact_reason *why);

/* ---- supervisor_report.c ---- */

/* Whether a line would be written now; if not, it counts as held back.  Asked
   first where making the line costs more than what it is about. */
bool coact__sup_would_log(struct coact__sup *sup, enum coact_log_level level);

/* "supervisor X: child Y: ...": at most a few lines a second. */
void coact__sup_log(struct coact__sup *sup, enum coact_log_level level,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A reason in words. */
struct coact__words {
    char text[COACT_REASON_TEXT + 32];
};
struct coact__words coact__sup_words(const struct coact_reason *reason);

/* What a child is called in the log. */
const char *coact__sup_id(const struct coact__child *child);

/* Keep how a child's life ended; without memory, it is not kept. */
void coact__sup_remember(struct coact__child *child,
                         const struct coact_reason *reason, int64_t now_ns);

void coact__sup_look(struct coact__sup *sup, struct coact_supervisor_info *out);
COACT_CHECKED int coact__sup_list(struct coact__sup *sup,
                                  struct coact_child_info **out, size_t *count);

#endif
