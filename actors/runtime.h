/*
 * runtime.h - the world that actors live in: start it, look into it, stop it.
 *
 * All of coact hangs off a struct coact_runtime; a process may have several.
 * One runs on worker threads of its own, as many as there are cores, or, with
 * the option host_driven, on the host's thread inside coact_pump, for a program
 * that has an event loop already.
 *
 * coact installs no atexit and no constructor, no signal handler that was not
 * asked for, and writes nothing but its log.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_H
#define COACT_RUNTIME_H

#include <coact/account.h>
#include <coact/actor.h>
#include <coact/error.h>
#include <coact/log.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

COACT_BEGIN_DECLS

/* How this process takes part in a cluster.  All zero: it does not. */
struct coact_node_options {
    uint32_t number;      /* unique in the cluster, from 1 to 2^31 - 1 */
    const char *listen;   /* "tcp://127.0.0.1:7001" or "ipc:///run/x.sock";
                             NULL: take no part in a cluster */
    const char *key_file; /* 64 hex digits; readable by its owner only */
    int64_t heartbeat_ns; /* 0: 100 ms; a silence of four of them is a death */
};

/* What came from another node and was refused: the receiver does not take such a
   message, or its bytes are none. */
struct coact_refusal {
    coact_ref from, to;
    uint64_t type;     /* the message's id: coact_type_id */
    const void *bytes; /* as they came; lent until the call returns */
    size_t len;
    int code; /* why */
};

/* What an actor that runs over its stack ends. */
enum coact_on_stack_overflow {
    COACT_OVERFLOW_ABORT, /* the process, with a signal */
    COACT_OVERFLOW_KILL_ACTOR
    /* the actor, with COACT_STACK_OVERFLOW, where that is safe; else the
       process, and standard error says why.  It is safe while only code of the
       program is on the stack: not below a call of the C library, of another
       library or of coact.  The clean-ups run; memory and locks that only the
       actor's code knew of stay as they are.  To ask for it is to ask for a
       handler of SIGSEGV, which stays there for ever and hands all else on to
       the one before it.  A thread that calls coact_pump needs an alternate
       signal stack; the one that calls coact_start gets one.  In a build with a
       sanitizer it is ABORT, for the sanitizer reports it. */
};

/* An actor that does not come back: it computes without a wait, or sleeps in a
   system call that coact does not know.  Meanwhile another thread works in the
   place of its worker. */
struct coact_stuck {
    coact_ref actor;
    const char *label, *mailbox, *role;
    bool is_over;     /* it has come back; else it is still at it */
    int64_t since_ns; /* when that run began, within a few milliseconds */
    int64_t for_ns;   /* how long that is by now, or was in all */
    int64_t cpu_ns;   /* how much of that it has computed; -1: unknown */
    const char *call; /* the system call that it sleeps in; NULL: it computes */
    const char *message; /* the type of what it has received and is about to
                            handle; NULL: nothing, or not known */
    coact_ref sender;    /* of that */
    const char *const *backtrace; /* a line for each frame, innermost first */
    size_t frames;                /* 0 if it is over */
    int backtrace_code;           /* why there is none: -ENOTSUP without
                           backtrace_signal, -ETIMEDOUT; else 0 */
};

/* All zero is a good runtime. */
struct coact_runtime_options {
    uint32_t workers;      /* 0: the cores that this process may use */
    bool host_driven;      /* no workers: the host calls coact_pump */
    bool abort_on_misuse;  /* a user's mistake aborts instead of failing */
    bool unguarded_stacks; /* go on without guards where none can be had */
    size_t stack_bytes;    /* 0: 64 KiB; from 16 KiB to 16 MiB */
    uint32_t max_actors;   /* 0: 16 million */
    enum coact_log_level log_level; /* 0: warnings and errors */
    coact_log_sink *log;            /* NULL: standard error */
    void *log_context;
    struct coact_node_options node;
    void (*refused)(void *context, const struct coact_refusal *refusal);
    /* called for each, on the thread of the links;
                                must not wait.  NULL: they are only counted */
    void *refused_context;
    uint32_t blocking_threads; /* most threads for coact_blocking; 0: 64 */
    enum coact_on_stack_overflow on_stack_overflow;
    const struct coact_role_options *roles; /* beside those that are there */
    uint32_t role_count;
    bool account;               /* open one for every actor: account.h */
    int64_t hibernate_after_ns; /* how long actors that hibernate later have
                                   rested.  0: 10 s; COACT_FOREVER: they do not */
    uint32_t stand_ins;    /* most threads that compute in the place of workers
                              whose actor does not come back; 0: 8 */
    int64_t hog_ns;        /* how long one run is, before somebody stands in;
                              0: 15 ms */
    int64_t hog_report_ns; /* how long it computes or sleeps, before that is
                              reported; 0: 100 ms */
    void (*stuck)(void *context, const struct coact_stuck *report);
    /* called for each report, beside the log, and again when
                                the actor has come back; must not call coact.
                                What it is given is lent.  NULL: the log alone */
    void *stuck_context;
    int backtrace_signal; /* SIGRTMIN to SIGRTMAX: reports come with a backtrace
                             and the message.  It is taken for the rest of the
                             process's life, and sent to a thread when that is
                             reported; then poll, nanosleep and some others end
                             with EINTR, as they do for any handler.  0: none, but
                             for what coact_main takes */
    uint32_t pinned_threads; /* most actors that are pinned at a time; 0: 256 */
};

/* Start a runtime; given: stop it, then free it.
   options may be NULL.
   from host, waits no, fails EINVAL ENOMEM EAGAIN EMFILE EACCES EADDRINUSE ENOTSUP ENOENT EBADMSG EIO */
COACT_API COACT_CHECKED int
coact_start(const struct coact_runtime_options *options,
            struct coact_runtime **out);

/* Ask every actor to end and wait until all have: who is supervised, in the order
   of its tree.  When three quarters of the time have passed, what is left is
   killed; with COACT_FOREVER it never is.  Then join the threads that pinned
   actors had, which may still be destroying thread-locals, and wait until every
   call that was given to coact_blocking has returned.  -ETIMEDOUT names in the log
   who has not ended, and the call may be repeated.
   from host, waits yes, fails ETIMEDOUT EPERM */
COACT_API COACT_CHECKED int coact_stop(struct coact_runtime *runtime,
                                       int64_t deadline_ns);

/* Begin the stop without waiting for it: all are asked to end, soon.  coact_stop
   then waits.  Async-signal-safe.
   from any, waits no, fails never */
COACT_API void coact_request_stop(struct coact_runtime *runtime);

/* True from the first request to stop on.
   from any, waits no, fails never */
COACT_API bool coact_is_stopping(const struct coact_runtime *runtime);

/* Free a runtime that has stopped.  -EBUSY, and nothing is freed, while actors
   are left, or threads that pinned ones had, or calls of coact_blocking that have
   not returned, or if it was never stopped.
   from host, waits no, fails EBUSY */
COACT_API int coact_free(struct coact_runtime *runtime);

/* ---- Driven by the host's loop ------------------------------------------- */

/* Becomes readable when there is something for coact_pump to do.  Ours.
   from host, waits no, fails ENOTSUP */
COACT_API int coact_fd(struct coact_runtime *runtime);

/* When coact_pump has something to do even if the descriptor stays silent;
   COACT_NOW if it has now; COACT_FOREVER if never.
   from host, waits no, fails never */
COACT_API int64_t coact_next_deadline(struct coact_runtime *runtime);

/* Run what is ready, until nothing is or the deadline has passed.  Returns how
   many times an actor was run.
   from host, waits no, fails EPERM */
COACT_API int64_t coact_pump(struct coact_runtime *runtime,
                             int64_t deadline_ns);

/* ---- Looking in ---------------------------------------------------------- */

struct coact_runtime_stats {
    uint64_t actors_alive, actors_spawned, actors_ended, actors_failed;
    uint64_t messages_sent, messages_unhandled, messages_refused;
    uint64_t dead_letters, replies_late, timers_fired;
    uint64_t dispatches, steals, parks, misuses;
    uint64_t stacks_in_use, stacks_mapped, stack_bytes;
    uint64_t links_up, frames_in, frames_out, frames_rejected;
    uint64_t fields_unknown; /* skipped in messages of newer nodes */
    uint32_t workers, workers_active;
    const char *stack_guards;  /* "madvise", "mprotect" or "none" */
    uint32_t blocking_threads; /* there are now */
    uint32_t blocking_busy;    /* of these, with a call that has not returned */
    uint32_t blocking_queued;  /* calls that wait for a thread */
    uint64_t blocking_done;    /* calls that returned to their actor */
    uint64_t blocking_abandoned;      /* their actor did not wait for the end */
    int64_t blocking_longest_wait_ns; /* of a call for a thread */
    uint64_t actors_hibernated; /* now; the stacks of these hold no memory */
    uint32_t actors_stuck;      /* reported, and not come back yet */
    uint64_t actors_stuck_ever; /* reports made */
    uint32_t stand_ins; /* threads in the place of workers that are stuck */
    uint32_t threads;   /* of the workers, parked ones and stand-ins included */
    uint32_t actors_pinned; /* each has a thread beside these */
};

/* A picture of the counters; they are read one after another, while others run.
   from any, waits no, fails never */
COACT_API void coact_stats(struct coact_runtime *runtime,
                           struct coact_runtime_stats *out);

/* One line of the list of actors. */
struct coact_actor_info {
    coact_ref ref;
    const char *label, *name; /* name: NULL if it has none */
    const char *mailbox;
    const char *state; /* what it waits in: "receive", "ask", "sleep", "join",
                          "send", "I/O", "blocking", "limit", "node";
                          "hibernated" in "receive"; "rest", a server without a
                          stack; or "running or ready" */
    uint64_t queued;
    int64_t since_ns;                    /* when that state began */
    const struct coact_account *account; /* NULL: it has none */
};

/* Call `each` for every actor alive; stop when it returns false.  It must not
   call coact.
   from any, waits no, fails never */
COACT_API void coact_each_actor(struct coact_runtime *runtime,
                                bool (*each)(void *context,
                                             const struct coact_actor_info *),
                                void *context);

/* The runtime of the calling actor or attached thread; NULL if there is none.
   from any, waits no, fails never */
COACT_API struct coact_runtime *coact_runtime_here(void);

COACT_END_DECLS

#endif
