/*
 * process.h - run a part of this program in an OS process of its own, and know
 * for certain when it has ended.
 *
 * A child is our own executable, started again.  It gets a bootstrap (any
 * bytes: a name, a key, addresses) and then exchanges messages (any bytes) with
 * its parent.  Nothing here knows what the bytes mean.
 *
 * The parent's side is a spawner: one thread that forks every child, reads what
 * they say and reaps them.  Each child and its parent share one socketpair and
 * nothing else.  It carries all bytes, so no secret is ever seen in an argument
 * or in the environment, and its end of file is the lifeline: a child whose
 * parent is gone ends at once, whatever it is doing.
 *
 * What a child inherits: descriptors 0 (which is /dev/null), 1, 2 and the
 * socket; the working directory, the limits, the user; the environment and, of
 * the thread that called coact__spawner_start, the CPU affinity.  Its signals
 * are at their defaults and none is blocked, except that SIGINT is ignored:
 * a terminal sends it to the whole group, and it is the parent who decides what
 * it means for the children.
 *
 * The host's SIGCHLD is left alone and only our own children are waited for.
 * A host that waits for children which are not its own (waitpid(-1), or SIGCHLD
 * ignored) takes their exit status from us: such an end says -ECHILD.
 *
 * Contracts: "from" and "waits" are as in error.h; here "any" is any thread
 * of the process that started the spawner.  After a fork without exec every
 * call in the new process returns -EPERM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_PROCESS_H
#define COACT_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/error.h"

struct coact__spawner;
struct coact__process;
struct coact__process_child;

/* The longest message, either way, and the longest bootstrap. */
#define COACT__PROCESS_MESSAGE_MAX ((size_t)65536)
#define COACT__PROCESS_BOOTSTRAP_MAX ((size_t)64 << 20)

/* How many bytes of messages wait before a send says -EAGAIN. */
#define COACT__PROCESS_QUEUE_BYTES ((size_t)1 << 20)

/* The only argument of a child.  It says nothing but that it is one. */
#define COACT__PROCESS_MARK "--coact-child"

/* The parent's side. */

struct coact__spawner_options {
    const char *program;     /* argv[0] of the children, copied; NULL: ours */
    const char *executable;  /* opened at start; NULL: the running program */
    size_t queue_bytes;      /* 0: COACT__PROCESS_QUEUE_BYTES */
    bool waits_with_threads; /* one thread per child even where pidfds exist */
};

/* How a process ended.  If error is not 0, it says why the rest is zero:
   -ECHILD, it ran but somebody else took its status; any other code, the
   program never ran: no descriptor, no memory, fork or exec failed, or the
   spawner is stopping (-ESHUTDOWN). */
struct coact__process_end {
    int error;
    bool exited;   /* by itself, with exit_code; else by signal */
    int exit_code; /* 0 .. 255 */
    int signal;
    bool core; /* dumped core */
    int64_t user_ns;
    int64_t system_ns;
    int64_t max_rss_bytes;
};

/*
 * What the parent hears, on the spawner's thread; a handler must not block.
 * It may call everything below but coact__spawner_stop.
 *
 * ended comes exactly once for every start that returned 0: when the process is
 * reaped and its pid is free, and after all that it had sent.
 */
struct coact__process_events {
    void (*message)(void *owner, const void *bytes, size_t len);
    void (*ended)(void *owner, const struct coact__process_end *end);
};

/* Start the thread and open the executable: what happens to the file later does
   not matter.  The environment is copied now.  options may be NULL.
   from any, waits no, fails ENOMEM EMFILE EAGAIN ENOENT EACCES and what open
   says */
COACT_CHECKED int
coact__spawner_start(struct coact__spawner **out,
                     const struct coact__spawner_options *options);

/* Kill what is left, reap it, end the thread and free the spawner.  Starts that
   are still queued end with -ESHUTDOWN.  Handles of processes stay valid.
   -ETIMEDOUT: some process would not die before the deadline, nothing is freed,
   and the call may be repeated.
   from any but a handler (EPERM), waits yes (the thread), fails ETIMEDOUT EPERM
 */
COACT_CHECKED int coact__spawner_stop(struct coact__spawner *spawner,
                                      int64_t deadline_ns);

/* Start a process.  The bootstrap is copied; events and owner are lent until
   ended.  *out, a reference to be dropped with coact__process_unref, is set
   before any event comes; out may be NULL.
   from any, waits no, fails EINVAL EOVERFLOW ENOMEM ESHUTDOWN EPERM */
COACT_CHECKED int
coact__process_start(struct coact__spawner *spawner, const void *bootstrap,
                     size_t bytes, const struct coact__process_events *events,
                     void *owner, struct coact__process **out);

/* Queue a message behind those before it; the bytes are copied.  It need not
   have started.  -EAGAIN: queue_bytes are waiting.  0 does not mean read.
   from any, waits no, fails EOVERFLOW ENOMEM EAGAIN ECHILD EPERM */
COACT_CHECKED int coact__process_send(struct coact__process *process,
                                      const void *bytes, size_t len);

/* Send a signal.  It never reaches a stranger who got the same pid, unless the
   kernel has no pidfds and the host takes our children's status.  One that has
   not started gets it as soon as it has.
   from any, waits no, fails EINVAL ECHILD EPERM EACCES */
COACT_CHECKED int coact__process_signal(struct coact__process *process,
                                        int sig);

/* Its pid; 0 before it has started.  It may be another process's after the end.
   from any, waits no, fails never */
pid_t coact__process_pid(struct coact__process *process);

/* The process itself goes on, and its events still come.  NULL is allowed.
   from any, waits no, fails never */
void coact__process_unref(struct coact__process *process);

/* The child's side. */

/* Whether we were started by coact__process_start: the argument is there, and
   descriptor 3 is such a socket.  To be asked before main does anything else.
   from any, waits no, fails never */
bool coact__process_is_child(int argc, char *const *argv);

/* Check that the socket is our parent's, read the bootstrap (up to 5 s), and
   start the thread that ends this process with _exit when the parent is gone.
   from any, waits yes (the thread), fails ENOMEM EMFILE EAGAIN EALREADY
   EACCES EPROTO ETIMEDOUT EOWNERDEAD */
COACT_CHECKED int coact__process_child_open(struct coact__process_child **out);

/* The bootstrap.  Lent until coact__process_child_close, which wipes it.
   from any, waits no, fails never */
const void *coact__process_child_bootstrap(struct coact__process_child *child,
                                           size_t *bytes);

/* From now on, hear the parent's messages on the child's own thread.  What came
   earlier has waited in the socket.  owner is lent until the close.
   from any, waits no, fails EINVAL EALREADY */
COACT_CHECKED int coact__process_child_listen(
    struct coact__process_child *child,
    void (*message)(void *owner, const void *bytes, size_t len), void *owner);

/* As coact__process_send, towards the parent.
   from any, waits no, fails EOVERFLOW ENOMEM EAGAIN EOWNERDEAD ESHUTDOWN */
COACT_CHECKED int coact__process_child_send(struct coact__process_child *child,
                                            const void *bytes, size_t len);

/* Wait until all that was sent is with the parent's socket, and until no
   handler runs; none begins afterwards.  Even if it fails, the child is closed:
   only the lifeline stays, until the process ends, and a send says -ESHUTDOWN.
   After -ETIMEDOUT a handler may still be running.
   from any but the handler (EPERM: not closed), waits yes (the thread),
   fails ETIMEDOUT EOWNERDEAD EPERM */
COACT_CHECKED int coact__process_child_close(struct coact__process_child *child,
                                             int64_t deadline_ns);

#endif
