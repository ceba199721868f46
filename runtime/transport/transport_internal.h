/*
 * transport_internal.h - the transport as its own files see it.
 *
 * transport.c is what any thread may call, start.c begins and ends it, link.c moves
 * frames between wire and sessions, and is the one thread's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_INTERNAL_H
#define COACT_RUNTIME_TRANSPORT_INTERNAL_H

#include "runtime/transport/session.h"
#include "runtime/transport/wire.h"

/* nanomsg has 512 sockets for a process. */
#define COACT__LINKS_MAX 500u
#define COACT__LINK_BUCKETS 1024u

struct coact__link {
    struct coact__session session;
    struct coact__link *next; /* of those that wait to be taken in */
    uint32_t node;
    char *address;

    /* Set by any thread, relaxed: the word `state` carries the news. */
    _Atomic bool is_leaving;

    /* The one thread's. */
    struct coact__wire_peer *peer;
    uint32_t breaks;
    uint8_t *waiting; /* a frame that the wire did not take */
    size_t waiting_len;
    uint64_t waiting_serial; /* of the session that sealed it */
    int64_t leave_ns;        /* when leaving ends; 0: not yet begun */
};

/*
 * One word says whether the thread must look around again.
 *
 *   IDLE    | the thread is at work, and will look at the word again
 *   WORK    | somebody has left something to do
 *   ASLEEP  | the thread waits in the kernel, or is about to
 *
 * Whoever leaves something exchanges WORK into it; who finds ASLEEP there rings
 * the bell.  The exchange is acq_rel on both sides: what was left before WORK
 * was set is seen by the thread that takes it out.
 */
enum coact__transport_state {
    COACT__TRANSPORT_IDLE,
    COACT__TRANSPORT_WORK,
    COACT__TRANSPORT_ASLEEP,
};

struct coact__transport {
    struct coact__session_config config;
    struct coact__keys keys;
    struct coact__ration ration;
    struct coact__counters counters;
    struct coact__wire *wire;
    bool has_thread;
    pthread_t thread;
    int epoll_fd; /* the wire's fd and the bell */
    int bell_fd;

    _Atomic int state;       /* enum coact__transport_state */
    _Atomic bool is_leaving; /* set once; after it, no new peers */
    _Atomic bool has_left;
    _Atomic int64_t leave_by_ns; /* set before is_leaving */
    coact__counter renewed, bound_anew, probes_failed;

    /* Senders read the table, who adds and removes writes it. */
    pthread_rwlock_t table_lock;
    struct coact__link *bucket[COACT__LINK_BUCKETS]; /* open addressing */
    uint32_t table_count;
    struct coact__link *incoming; /* guarded by table_lock, too */
    _Atomic bool has_incoming;    /* a hint that saves the lock; relaxed, for
                                  `state` carries the news */
    uint64_t gone_messages, gone_bytes; /* accepted by links now removed */

    /* The one thread's. */
    struct coact__link *links[COACT__LINKS_MAX];
    uint32_t link_count;
    int64_t retry_ns; /* when to try again what memory refused */
    struct coact__link *by_node[COACT__LINK_BUCKETS]; /* the table, its own */
};

/* The place of a node in a table of links: its own, or the empty one where it
   would be.  A table is never full. */
uint32_t coact__link_place(struct coact__link *const *table, uint32_t node);
void coact__link_table_remove(struct coact__link **table, uint32_t node);

void coact__link_free(struct coact__link *link);

/* There is something to do; from any thread. */
void coact__transport_wake(struct coact__transport *t);

#endif
