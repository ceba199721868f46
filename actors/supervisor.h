/*
 * supervisor.h - actors that start other actors, and start them again.
 *
 * A supervisor is an actor with a list of children.  It starts them in order,
 * restarts those that fail, and stops them in reverse.  A child may be a
 * supervisor: that makes a tree.  What cannot be cured below is handed up: a
 * supervisor whose children fail too often stops them all and fails itself, and
 * its own supervisor decides.
 *
 *   static const struct coact_child children[] = {
 *       COACT_CHILD(ledger, "ledger", ledger_body, &disk),
 *       COACT_CHILD(bank, "bank", bank_body, NULL, .restart = COACT_TRANSIENT),
 *       COACT_CHILD_SUPERVISOR("tellers", &tellers, .start_ns = COACT_SECONDS(9)),
 *   };
 *   static const struct coact_supervisor spec = {
 *       .strategy = COACT_REST_FOR_ONE,
 *       .children = children,
 *       .child_count = 3,
 *   };
 *   coact_supervisor_ref top;
 *   int rc = coact_supervise(&spec, coact_in_ms(1000), &top, &why);
 *
 * A specification is data: it is copied whole, all zero but the children is a
 * good one, and what makes no sense in it is refused before anything starts,
 * with a line in the log that names it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_SUPERVISOR_H
#define COACT_SUPERVISOR_H

#include <coact/actor.h>
#include <coact/error.h>
#include <coact/mailbox.h>
#include <coact/message.h>
#include <coact/reason.h>
#include <coact/ref.h>
#include <coact/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

COACT_BEGIN_DECLS

/* The address of a supervisor.  Its .ref can be monitored, linked, joined. */
typedef struct coact_supervisor_ref {
    coact_ref ref;
} coact_supervisor_ref;

/* ---- A child ------------------------------------------------------------- */

/* When a child that ended by itself is started again. */
enum coact_restart {
    COACT_PERMANENT, /* always, also after a normal end */
    COACT_TRANSIENT, /* after any end but normal and shutdown */
    COACT_TEMPORARY  /* never: with the child, its specification goes */
};

/* A shutdown_ns: kill the child at once, without asking it to end. */
#define COACT_BRUTAL_KILL INT64_C(-1)

/* A first_ns: restart at once, also when it was the start that failed. */
#define COACT_NO_BACKOFF INT64_C(-1)

/* How long to wait before a restart: first_ns, then twice as long each time, up
   to max_ns; of each wait, a random half or more.  A child that ran for
   reset_ns begins anew. */
struct coact_backoff {
    int64_t first_ns; /* 0: after a crash none, after a failed start 10 ms */
    int64_t max_ns;   /* 0: 30 s, or first_ns if that is longer */
    int64_t reset_ns; /* 0: as max_ns */
};

struct coact_supervisor;

/* What to start, and how to treat it.  COACT_CHILD and its sisters fill the
   first five; new members are added at the end. */
struct coact_child {
    const char
        *id; /* unique among its siblings; copied.  Dynamic: NULL, none */
    const struct coact_mailbox *mailbox;
    void (*body)(void); /* of a server its handler */
    void *arg; /* lent, for as long as the child can be started again; with
                  options.destroy_arg taken, and destroyed after that */
    const struct coact_supervisor *supervisor; /* it is one; copied */

    enum coact_restart restart;
    int64_t shutdown_ns; /* how long it may take to end before it is killed.
                            0: 5 s, a supervisor COACT_FOREVER */
    bool significant;    /* counts for auto_shutdown; not for permanent ones */
    bool wait_init;      /* it has started when it calls coact_started */
    int64_t start_ns;    /* how long that may take before it is killed, and has
                            failed.  0: 5 s, a supervisor COACT_FOREVER */
    struct coact_backoff backoff;
    bool abandon; /* killed, and still not gone after shutdown_ns more: count it
                     as dead (COACT_UNRESPONSIVE) and go on without it */
    bool isolated;               /* run it in a process of its own */
    struct coact_type *arg_type; /* isolated: arg is such a message; copied */
    int64_t
        hang_ns; /* isolated: kill it when it runs nothing for so long though
                        it has something to run.  0: never */
    struct coact_options options; /* label (default: the id), name, stack_bytes,
                                     mailbox_messages, overflow, trap_exit,
                                     hibernate, fair, destroy_arg, and a
                                     server's init; the others stay zero */
    bool serves; /* it is a server (server.h), and has started when its init
                    has succeeded */
};

/* A child, as an initialiser: its mailbox, id, body, argument, and any other
   members: COACT_CHILD(bank, "bank", bank_body, NULL, .significant = true).
   The argument is lent: every start and every restart gets the same pointer, so
   it must stay valid for as long as the child can be started again.
   from any, waits no, fails never */
#define COACT_CHILD(child_mailbox, child_id, child_body, ...)                  \
    {                                                                          \
        .id = (child_id), .mailbox = &child_mailbox##_coact_mailbox,           \
        .body = COACT__BODY(child_mailbox, child_body), .arg = __VA_ARGS__     \
    }

/* The same for a child that is a server, with its handler and the argument of its
   init, or its state.  Every start and every restart begins with the init again.
   from any, waits no, fails never */
#define COACT_CHILD_SERVER(child_mailbox, child_id, child_handler, ...)        \
    {                                                                          \
        .serves = true, .id = (child_id),                                      \
        .mailbox = &child_mailbox##_coact_mailbox,                             \
        .body = COACT__HANDLER(child_mailbox, child_handler),                  \
        .arg = __VA_ARGS__                                                     \
    }

/* The same for a child in a process of its own.  Its argument is a message of
   the type named, or NULL.  Unlike COACT_CHILD's it is copied, with all that it
   points to: it is yours again as soon as the specification has been handed
   over, and every start and restart gets the values that it had then.
   from any, waits no, fails never */
#define COACT_CHILD_ISOLATED(child_mailbox, child_id, child_body, message,     \
                             ...)                                              \
    {                                                                          \
        .isolated = true, .arg_type = &coact_type_##message, .id = (child_id), \
        .mailbox = &child_mailbox##_coact_mailbox,                             \
        .body = COACT__BODY(child_mailbox, child_body), .arg = __VA_ARGS__     \
    }

/* A child that is a supervisor: its id, its specification, any other members.
   It has started when all its children have.
   from any, waits no, fails never */
#define COACT_CHILD_SUPERVISOR(child_id, ...)                                  \
    {                                                                          \
        .id = (child_id), .supervisor = __VA_ARGS__                            \
    }

/* ---- A supervisor -------------------------------------------------------- */

/* Who is restarted when a child is. */
enum coact_strategy {
    COACT_ONE_FOR_ONE,  /* that child */
    COACT_ONE_FOR_ALL,  /* all: the others are stopped first, last one first */
    COACT_REST_FOR_ONE, /* that child and those after it in the list */
    COACT_DYNAMIC       /* that child.  The list begins empty; children come
                           with coact_child_start and are forgotten when they
                           end for good, and all stop at the same time */
};

/* When the supervisor ends because its work is done: significant children ended
   by themselves, and are not to be restarted. */
enum coact_auto_shutdown {
    COACT_AUTO_NEVER,
    COACT_AUTO_ANY, /* one of them did */
    COACT_AUTO_ALL  /* the last one that ran did */
};

/* An intensity: the first restart is one too many; there is no limit. */
#define COACT_NO_RESTARTS (-1)
#define COACT_RESTART_FOREVER INT32_MAX

/*
 * A supervisor that has restarted `intensity` times within period_ns and should
 * do so again gives up.  10 in 5 s are more than bad luck makes and fewer than
 * a loop does; and a single child whose start fails, at the default backoff,
 * stays below it and is tried for ever, ever more slowly.  The restart of a
 * group counts once, and so does a start that fails.
 */
struct coact_supervisor {
    enum coact_strategy strategy;
    int32_t intensity; /* 0: 10; up to a million, or one of the two above */
    int64_t period_ns; /* 0: 5 s */
    const struct coact_child *children; /* in order of start; copied */
    size_t child_count;
    const char *label; /* for logs; copied.  NULL: the id as a child, else
                          "supervisor" */
    const char *name;  /* registered; copied.  NULL: none */
    enum coact_auto_shutdown auto_shutdown;
    size_t max_children; /* 0: no limit; else the most that it will have */
    bool link; /* to the actor that calls coact_supervise, and ends with it */
};

/* Start a supervisor and all its children, in order; it returns when all have
   started.  If one fails to, those before it are stopped in reverse, *why (where
   not NULL) names the child and its reason, and the code is the reason's if that
   is negative, else -ECHILD.  At the deadline it returns -ETIMEDOUT; *why names
   the child that made it late, and the tree is ended behind our back.
   from any, waits yes, fails EINVAL ENOMEM EEXIST EPERM ESHUTDOWN EAGAIN ECHILD ETIMEDOUT ECANCELED EOWNERDEAD ENOTSUP and those of the child */
COACT_API COACT_CHECKED int coact_supervise(const struct coact_supervisor *spec,
                                            int64_t deadline_ns,
                                            coact_supervisor_ref *out,
                                            struct coact_reason *why);

/* Stop a supervisor and all that is below it, children in reverse order, each
   with its shutdown_ns, and wait until it is gone.  At the deadline all that is
   left is killed, the log and *why (where not NULL) name who made it late, as a
   path such as "tellers/3", and -ETIMEDOUT is returned.  0 also if it is gone.
   from any, waits yes, fails ETIMEDOUT ECANCELED ENOMEM EDEADLK EPERM EAGAIN */
COACT_API int coact_supervisor_stop(coact_supervisor_ref supervisor,
                                    int64_t deadline_ns,
                                    struct coact_reason *why);

/* Find a supervisor by its name.
   from any, waits no, fails ENOENT EINVAL EPERM */
COACT_API COACT_CHECKED int coact_supervisor_whereis(const char *name,
                                                     coact_supervisor_ref *out);

/* The supervisor of the calling actor; nobody if it has none.
   from any, waits no, fails never */
COACT_API coact_supervisor_ref coact_supervisor_of_self(void);

/* Say to our supervisor that we have started, where it waits for that
   (wait_init).  A child that ends before has failed to start, and its reason is
   the start's; so one whose start goes wrong calls coact_fail.  Does nothing
   for whom nobody waits.
   from actor, waits no, fails ENOMEM EPERM */
COACT_API COACT_CHECKED int coact_started(void);

/* ---- Changing the list --------------------------------------------------- */

/*
 * A supervisor answers these to actors and threads of its own process.  While a group of children
 * is being restarted they wait for the end of that, until their deadline.
 * ESRCH or EOWNERDEAD: the supervisor has ended; ESHUTDOWN: it is about to.
 */

/* Add a child at the end of the list, and start it; *out is its address:
   coact_child_start(top, bank, &bank, deadline, "bank-2", bank_body, NULL, ...).
   If its start fails it is not added; see coact_child_add for *why.  -EEXIST: the
   id is in use; -EAGAIN: max_children are there.
   from any, waits yes, fails EINVAL EEXIST EAGAIN ENOMEM ECHILD ESRCH EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED EDEADLK ENOTSUP EPERM and those of the child */
#define coact_child_start(parent, child_mailbox, out, deadline_ns, child_id,   \
                          child_body, ...)                                     \
    coact_child_add((parent),                                                  \
                    &(const struct coact_child)COACT_CHILD(                    \
                        child_mailbox, child_id, child_body, __VA_ARGS__),     \
                    (deadline_ns),                                             \
                    &(1 ? (out) : (child_mailbox##_ref *)0)->ref, NULL)

/* The same with a child's specification, which is copied; *why, where not NULL,
   tells the reason of a start that failed.  out may be NULL.
   from any, waits yes, fails EINVAL EEXIST EAGAIN ENOMEM ECHILD ESRCH EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED EDEADLK ENOTSUP EPERM and those of the child */
COACT_API COACT_CHECKED int coact_child_add(coact_supervisor_ref supervisor,
                                            const struct coact_child *child,
                                            int64_t deadline_ns, coact_ref *out,
                                            struct coact_reason *why);

/* Stop a child, as at the end of its supervisor, and wait until it has ended.
   Its specification stays, and can be started with coact_child_restart, unless
   it is temporary or the supervisor dynamic.  0 if it was not running.
   -EALREADY: it had ended by itself and was to be restarted; it will not be.
   from any, waits yes, fails ENOENT EALREADY ESRCH EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
COACT_API int coact_child_terminate(coact_supervisor_ref supervisor,
                                    const char *id, int64_t deadline_ns);

/* The same for a child that is known by its address.
   from any, waits yes, fails ENOENT ESRCH EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
COACT_API int coact_child_terminate_ref(coact_supervisor_ref supervisor,
                                        coact_ref child, int64_t deadline_ns);

/* Start a child that was terminated, or has ended for good.  -EBUSY: it runs;
   -EALREADY: it is being restarted.
   from any, waits yes, fails ENOENT EBUSY EALREADY ECHILD ESRCH EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM and those of the child */
COACT_API COACT_CHECKED int coact_child_restart(coact_supervisor_ref supervisor,
                                                const char *id,
                                                int64_t deadline_ns,
                                                struct coact_reason *why);

/* Forget a child that does not run.  -EBUSY: it runs, terminate it first;
   -EALREADY: it is being restarted.
   from any, waits yes, fails ENOENT EBUSY EALREADY ESRCH EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
COACT_API int coact_child_delete(coact_supervisor_ref supervisor,
                                 const char *id, int64_t deadline_ns);

/* ---- Looking at the list ------------------------------------------------- */

/* Answered at once, also while children start, stop or wait for a restart. */

/* Find a running child: coact_child_find(top, bank, "bank", &bank, deadline).
   While it starts, or waits for its restart, so do we, until the deadline; also
   while an isolated child's process has ended, or the link to it is down, and
   its supervisor does not know yet.
   -ESRCH: it does not run, and is not about to; -EINVAL: it has another mailbox.
   from any, waits yes, fails ENOENT ESRCH EINVAL EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
#define coact_child_find(parent, child_mailbox, id, out, deadline_ns)          \
    coact__child_find((parent), &child_mailbox##_coact_mailbox, (id),          \
                      &(1 ? (out) : (child_mailbox##_ref *)0)->ref,            \
                      (deadline_ns))

/* The same for a child that is a supervisor.
   from any, waits yes, fails ENOENT ESRCH EINVAL EOWNERDEAD ESHUTDOWN ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
COACT_API COACT_CHECKED int
coact_child_find_supervisor(coact_supervisor_ref supervisor, const char *id,
                            coact_supervisor_ref *out, int64_t deadline_ns);

enum coact_child_state {
    COACT_CHILD_STOPPED,  /* does not run, and will not unless told to */
    COACT_CHILD_STARTING, /* runs, and has not called coact_started yet */
    COACT_CHILD_RUNNING,
    COACT_CHILD_STOPPING, /* was asked to end, or killed */
    COACT_CHILD_WAITING   /* will be started: for its backoff, or its turn */
};

/* How a child's earlier life ended. */
struct coact_child_end {
    struct coact_reason reason;
    int64_t at_ns;     /* a coact_now_ns() time */
    int64_t lasted_ns; /* from its start on */
};

#define COACT_CHILD_ENDS 4

struct coact_child_info {
    const char *id; /* NULL: none; lent until the call returns */
    coact_ref ref;  /* nobody if it does not run */
    enum coact_child_state state;
    enum coact_restart restart;
    bool is_supervisor, is_isolated, is_significant;
    uint64_t restarts; /* starts beyond the first */
    int64_t since_ns;  /* RUNNING: its start; else when the state began */
    int64_t
        next_start_ns; /* WAITING for its backoff: the end of that; else 0 */
    const struct coact_child_end *ends; /* newest first; lent like the id */
    size_t end_count;                   /* up to COACT_CHILD_ENDS */
};

/* Call `each` for every child, in order of start, until it returns false.  It is
   called by us, after the supervisor has answered, and may call coact.
   from any, waits yes, fails ESRCH EOWNERDEAD ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
COACT_API int
coact_children(coact_supervisor_ref supervisor, int64_t deadline_ns,
               bool (*each)(void *context, const struct coact_child_info *),
               void *context);

struct coact_supervisor_info {
    enum coact_strategy strategy;
    size_t specs, supervisors; /* children, and those that are one */
    size_t stopped, starting, running, stopping, waiting; /* their states */
    uint64_t restarts; /* since its own start; a group counts once */
    int64_t period_ns;
    int32_t intensity;     /* as given, or the default */
    int32_t restarts_left; /* now; COACT_RESTART_FOREVER: without limit */
    bool is_stopping;
    char label[64];
};

/* The counts, and how many restarts are left before it gives up.
   from any, waits yes, fails ESRCH EOWNERDEAD ETIMEDOUT ECANCELED ENOMEM EDEADLK EAGAIN EPERM */
COACT_API COACT_CHECKED int
coact_supervisor_look(coact_supervisor_ref supervisor, int64_t deadline_ns,
                      struct coact_supervisor_info *out);

/* ---- Behind the macros --------------------------------------------------- */

COACT_API COACT_CHECKED int
coact__child_find(coact_supervisor_ref supervisor,
                  const struct coact_mailbox *mailbox, const char *id,
                  coact_ref *out, int64_t deadline_ns);

COACT_END_DECLS

#endif
