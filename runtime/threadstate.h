/*
 * threadstate.h - what another thread of this process is doing, asked from
 * outside.
 *
 * A worker that does not come back may be computing, may be blocked in the
 * kernel, or may be ready and get no processor because others have them all.
 * Only the first two are an actor's doing.  Two readings, some milliseconds
 * apart, tell which: the time in between is divided into what the thread
 * computed, what it waited for a processor, and what it slept.
 *
 * The thread is not stopped and notices nothing.  A reading is three small files
 * of /proc and one call, some tens of microseconds: cheap enough a hundred times
 * a second, too dear for a hot path.  What the kernel does not tell, because
 * /proc is not mounted or a sandbox forbids it, is unknown.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_THREADSTATE_H
#define COACT_RUNTIME_THREADSTATE_H

#include <stdint.h>
#include <sys/types.h>

/* In place of the number of a system call. */
enum {
    COACT__THREADSTATE_NO_CALL = -1,     /* it is in none, or runs in one */
    COACT__THREADSTATE_CALL_UNKNOWN = -2 /* the kernel does not tell */
};

struct coact__threadstate {
    int64_t cpu_ns;    /* computed since its start; -1: unknown */
    int64_t waited_ns; /* ready, without a processor, up to when it last got
                          one; -1: unknown */
    int32_t call;      /* the system call that it sleeps in, or one of above */
    char state;        /* R, S, D, T and so on as in ps(1); '?': unknown */
};

/* Read it.  On failure all is unknown; parts of it may be on success.
   fails ESRCH no such thread of this process, ENOTSUP in simulation or where
   nothing at all can be read */
int coact__threadstate_read(pid_t tid, struct coact__threadstate *out);

/* "futex" and the like; NULL for one that is not well known, and for what is no
   call. */
const char *coact__threadstate_call_name(int32_t call);

/* What a thread did between two readings, wall_ns apart.  Never more than
   wall_ns together; the rest is in doubt. */
struct coact__threadspan {
    int64_t computed_ns;
    int64_t waited_ns; /* for a processor, or stopped from outside */
    int64_t slept_ns;
};

void coact__threadstate_span(const struct coact__threadstate *before,
                             const struct coact__threadstate *after,
                             int64_t wall_ns, struct coact__threadspan *out);

enum coact__stuck {
    COACT__STUCK_UNKNOWN,
    COACT__STUCK_COMPUTES,
    COACT__STUCK_BLOCKED, /* in the kernel; after->call says in what */
    COACT__STUCK_STARVED  /* by the load of others: not its fault */
};

/*
 * The largest part of the span decides, and what is in doubt is a part as well:
 * where it is the largest, or less than a millisecond lies between the readings,
 * the answer is UNKNOWN.
 *
 * STARVED is said of the span, not of the thread: one of many that compute on
 * few processors computes for the smaller part of it.  Who wants those too looks
 * at cpu_ns over a longer time.
 */
enum coact__stuck
coact__threadstate_judge(const struct coact__threadstate *before,
                         const struct coact__threadstate *after,
                         int64_t wall_ns);

#endif
