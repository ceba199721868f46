/*
 * lifeline.h - one end of the socketpair between a process and its child:
 * packets in order both ways, and the end of file that means "gone".
 *
 * A packet is one byte of kind and up to COACT__PROCESS_MESSAGE_MAX bytes.  The
 * socket is SOCK_SEQPACKET: the kernel keeps packets whole, so several threads
 * may send and a reader never sees a part.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_LIFELINE_H
#define COACT_RUNTIME_LIFELINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/process.h"

/* Where a child finds its end. */
#define COACT__LIFELINE_FD 3

#define COACT__LIFELINE_PACKET_MAX (COACT__PROCESS_MESSAGE_MAX + 1)

enum coact__lifeline_kind {
    COACT__LIFELINE_HELLO = 1, /* parent, first: struct coact__lifeline_hello */
    COACT__LIFELINE_BOOTSTRAP, /* parent, then: the bootstrap in pieces */
    COACT__LIFELINE_MESSAGE,   /* both: bytes for the storey above */
    COACT__LIFELINE_FAILED     /* child, instead of exec: an int, the errno */
};

/* Both sides are the same program on the same machine, so it goes as it is. */
struct coact__lifeline_hello {
    uint64_t magic;
    uint64_t bootstrap_bytes;
};

#define COACT__LIFELINE_MAGIC UINT64_C(0x636f61637463686c) /* "coactchl" */

struct coact__packet;

struct coact__lifeline {
    pthread_mutex_t lock; /* guards all below; the owner may use it for more */
    int fd;               /* -1 before attach and after close */
    int epoll_fd;
    uint64_t tag;      /* epoll's data for fd */
    uint32_t interest; /* epoll's events for fd, but EPOLLOUT */
    bool wants_out;
    struct coact__packet *first;
    struct coact__packet **last;
    size_t queued_bytes;
    size_t limit_bytes;
};

/* A limit below one message is raised to it.  0 or -ENOMEM. */
COACT_CHECKED int coact__lifeline_init(struct coact__lifeline *line,
                                       size_t limit_bytes);
void coact__lifeline_fini(struct coact__lifeline *line); /* closes as well */

/* Everything below but receive is called with line->lock held. */

/* Queue a packet whatever the limit.  0 or -ENOMEM. */
COACT_CHECKED int coact__lifeline_put(struct coact__lifeline *line,
                                      enum coact__lifeline_kind kind,
                                      const void *bytes, size_t len);

/* Own fd, which is non-blocking by the calls made on it, and tell epoll_fd of
   it.  On failure fd stays the caller's. */
COACT_CHECKED int coact__lifeline_attach(struct coact__lifeline *line, int fd,
                                         int epoll_fd, uint32_t interest,
                                         uint64_t tag);

/* Change what epoll reports. */
void coact__lifeline_watch(struct coact__lifeline *line, uint32_t interest);

/* Put a message and flush.  -EAGAIN: the limit; -EPIPE: the other end is gone;
   -EOVERFLOW; -ENOMEM. */
COACT_CHECKED int coact__lifeline_send(struct coact__lifeline *line,
                                       const void *bytes, size_t len);

/* Give the socket what it takes.  0: the rest, if any, goes when epoll says so;
   -EPIPE: the other end is gone, and so is the queue. */
COACT_CHECKED int coact__lifeline_flush(struct coact__lifeline *line);

/* Close fd and drop the queue. */
void coact__lifeline_close(struct coact__lifeline *line);

/* One packet, at most COACT__LIFELINE_PACKET_MAX bytes into buf.  Its length,
   0 at the end of file, -EAGAIN, or -EPROTO if it is longer or empty. */
COACT_CHECKED int coact__lifeline_receive(int fd, unsigned char *buf);

#endif
