/*
 * spawner.h - what spawner.c, process*.c and reap.c share: the insides of a
 * spawner and of a process.
 *
 * Who may touch what.  A field says nothing: only the spawner's thread, or it
 * is constant.  [S]: under the spawner's lock.  [P]: under the process's lock,
 * which is line.lock.  No lock is held while a handler runs, and none is taken
 * while another is held.
 *
 * States of a process
 *   QUEUED | start, from any thread | packets collect in the line
 *   LIVE   | spawner, after clone   | has a pid that is ours, zombie included
 *   ENDED  | spawner, in the same hold of P as the reaping, so that nobody
 *            signals a pid which may belong to a stranger
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SPAWNER_H
#define COACT_RUNTIME_SPAWNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/launch.h"
#include "runtime/lifeline.h"
#include "runtime/process.h"

enum coact__process_state {
    COACT__PROCESS_QUEUED,
    COACT__PROCESS_LIVE,
    COACT__PROCESS_ENDED
};

struct coact__process {
    struct coact__lifeline line;
    _Atomic unsigned refs; /* one is the spawner's, until ended has been told */
    struct coact__spawner *spawner;
    const struct coact__process_events *events;
    void *owner;
    pid_t home;                      /* the process that may use this handle */
    enum coact__process_state state; /* P */
    pid_t pid;                       /* P */
    int pidfd;                       /* P; -1 where there are none */
    uint64_t early_signals;          /* P; bit sig - 1, until LIVE */
    pthread_t waiter;
    bool has_waiter;
    bool is_due; /* nobody tells us of its end: it is polled */
    bool spoke;  /* a packet has come, so the exec was a success */
    int failed;  /* the errno of the launch */
    struct coact__process *next; /* S while queued; then of live, then grave */
    struct coact__process *prev;
    struct coact__process *next_waited; /* S */
};

struct coact__spawner {
    pthread_mutex_t lock;
    struct coact__process *queued;       /* S */
    struct coact__process **queued_last; /* S */
    struct coact__process *waited;       /* S; a waiter saw them die */
    bool is_stopping;                    /* S */
    struct coact__process *live;
    struct coact__process *grave; /* ended; freed when no event names them */
    unsigned due;                 /* processes with is_due */
    bool has_killed;
    struct coact__launcher launcher;
    size_t queue_bytes;
    bool waits_with_threads;
    pid_t home;
    int epoll_fd;
    int wake_fd; /* eventfd: look at the lists */
    int done_fd; /* eventfd: the thread has ended */
    pthread_t thread;
    unsigned char packet[COACT__LIFELINE_PACKET_MAX];
};

/* epoll's data: 0 is wake_fd, else a process, plus 1 if it is its pidfd. */
#define COACT__SPAWNER_PIDFD_TAG UINT64_C(1)

/* Make the thread look at its lists.  From any thread. */
void coact__spawner_wake(struct coact__spawner *spawner);

/* As coact__process_signal, with P held. */
int coact__process_signal_locked(struct coact__process *process, int sig);

/* process_life.c, on the spawner's thread. */

/* End one that is queued, with an error. */
void coact__process_life_cancel(struct coact__process *process, int error);

/* Start one that is queued; if that fails, it is cancelled. */
void coact__process_life_start(struct coact__process *process);

/* The epoll says this of its socket. */
void coact__process_life_hear(struct coact__process *process, uint32_t events);

/* If it is dead: take its status, read the rest, tell the end. */
void coact__process_life_reap(struct coact__process *process);

/* reap.c: arrange to learn of the end of a live process.  Never fails: there is
   a pidfd, or a thread that waits, or it is polled. */
void coact__reap_watch(struct coact__process *process);

/* Reap it if it is dead.  True: *end says how, it is ENDED, and what watched it
   is gone.  False: it lives, or a debugger has not let go of it. */
bool coact__reap_try(struct coact__process *process,
                     struct coact__process_end *end);

/* Begin and end the polling of a process. */
void coact__reap_poll(struct coact__process *process, bool is_due);

#endif
