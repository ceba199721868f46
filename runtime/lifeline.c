/*
 * lifeline.c - packets over a socketpair, with a queue for what it cannot take.
 *
 * Senders try the socket themselves, so what was sent before an exit is in the
 * kernel and survives it.  Only what the socket refuses stays in the queue; the
 * thread that owns the epoll flushes it.
 *
 * Invariants
 *   L1  Packets leave in the order of put: nothing is written past the queue.
 *   L2  EPOLLOUT is asked for exactly while fd is open and the queue is not
 *       empty; else the epoll would spin, or nobody would flush.
 *   L3  queued_bytes is the sum over the queued messages; only send heeds the
 *       limit, and one message always fits.
 *
 * A packet may hold a key, so its memory is wiped before it is freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/lifeline.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/memory.h"

struct coact__packet {
    struct coact__packet *next;
    size_t bytes; /* of data */
    unsigned char data[];
};

static void
packet_free(struct coact__packet *packet)
{
    explicit_bzero(packet->data, packet->bytes);
    coact__free(packet);
}

/* What a packet counts against the limit: a bootstrap is not bounded by it. */
static size_t
charge_of(const struct coact__packet *packet)
{
    return packet->data[0] == COACT__LIFELINE_MESSAGE ? packet->bytes : 0;
}

static void
drop_first(struct coact__lifeline *line)
{
    struct coact__packet *packet = line->first;
    line->first = packet->next;
    if (line->first == NULL) {
        line->last = &line->first;
    }
    line->queued_bytes -= charge_of(packet);
    packet_free(packet);
}

int
coact__lifeline_init(struct coact__lifeline *line, size_t limit_bytes)
{
    *line = (struct coact__lifeline){.fd = -1, .epoll_fd = -1};
    line->last = &line->first;
    line->limit_bytes = limit_bytes > COACT__LIFELINE_PACKET_MAX
                            ? limit_bytes
                            : COACT__LIFELINE_PACKET_MAX;
    bool fails = coact__fails();
    return fails || pthread_mutex_init(&line->lock, NULL) != 0 ? -ENOMEM : 0;
}

void
coact__lifeline_fini(struct coact__lifeline *line)
{
    coact__lifeline_close(line);
    pthread_mutex_destroy(&line->lock);
}

int
coact__lifeline_put(struct coact__lifeline *line,
                    enum coact__lifeline_kind kind, const void *bytes,
                    size_t len)
{
    struct coact__packet *packet = coact__alloc(sizeof(*packet) + 1 + len);
    if (packet == NULL) {
        return -ENOMEM;
    }
    packet->next = NULL;
    packet->bytes = len + 1;
    packet->data[0] = (unsigned char)kind;
    if (len > 0) {
        memcpy(packet->data + 1, bytes, len);
    }
    *line->last = packet;
    line->last = &packet->next;
    line->queued_bytes += charge_of(packet);
    return 0;
}

int
coact__lifeline_attach(struct coact__lifeline *line, int fd, int epoll_fd,
                       uint32_t interest, uint64_t tag)
{
    struct epoll_event event = {.events = interest, .data.u64 = tag};
    if (coact__fails()) {
        return -ENOMEM;
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return -errno;
    }
    line->fd = fd;
    line->epoll_fd = epoll_fd;
    line->interest = interest;
    line->tag = tag;
    line->wants_out = false;
    return 0;
}

/* Changing events of a descriptor that is in the epoll needs no memory and
   cannot fail; errors here would mean that fd is not ours any more. */
static void
tell_epoll(struct coact__lifeline *line)
{
    uint32_t out = line->wants_out ? (uint32_t)EPOLLOUT : 0;
    struct epoll_event event = {.events = line->interest | out,
                                .data.u64 = line->tag};
    (void)epoll_ctl(line->epoll_fd, EPOLL_CTL_MOD, line->fd, &event);
}

void
coact__lifeline_watch(struct coact__lifeline *line, uint32_t interest)
{
    line->interest = interest;
    if (line->fd >= 0) {
        tell_epoll(line);
    }
}

/* One packet to the socket.  ENOBUFS and ENOMEM are the kernel's shortage: the
   packet is tried again when epoll next says that there is room. */
static int
write_packet(int fd, const struct coact__packet *packet)
{
    if (coact__fails()) {
        return -EAGAIN;
    }
    ssize_t sent;
    do {
        sent =
            send(fd, packet->data, packet->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return 0;
    }
    bool later = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
    return later ? -EAGAIN : -EPIPE;
}

int
coact__lifeline_flush(struct coact__lifeline *line)
{
    int rc = 0;
    while (line->fd >= 0 && line->first != NULL && rc == 0) {
        rc = write_packet(line->fd, line->first);
        if (rc == 0) {
            drop_first(line);
        }
    }
    if (rc == -EPIPE) {
        while (line->first != NULL) {
            drop_first(line);
        }
    }
    bool wants_out = line->first != NULL;
    if (line->fd >= 0 && wants_out != line->wants_out) {
        line->wants_out = wants_out;
        tell_epoll(line);
    }
    return rc == -EPIPE ? -EPIPE : 0;
}

int
coact__lifeline_send(struct coact__lifeline *line, const void *bytes,
                     size_t len)
{
    if (len > COACT__PROCESS_MESSAGE_MAX) {
        return -EOVERFLOW;
    }
    if (line->queued_bytes > 0 &&
        line->queued_bytes + len + 1 > line->limit_bytes) {
        return -EAGAIN;
    }
    int rc = coact__lifeline_put(line, COACT__LIFELINE_MESSAGE, bytes, len);
    return rc != 0 ? rc : coact__lifeline_flush(line);
}

void
coact__lifeline_close(struct coact__lifeline *line)
{
    while (line->first != NULL) {
        drop_first(line);
    }
    if (line->fd >= 0) {
        (void)epoll_ctl(line->epoll_fd, EPOLL_CTL_DEL, line->fd, NULL);
        (void)close(line->fd);
        line->fd = -1;
    }
    line->wants_out = false;
}

/*
 * A socket whose peer closed with packets unread answers ECONNRESET once, before
 * what the peer had sent.  That is why it is not an end: the rest follows.
 */
int
coact__lifeline_receive(int fd, unsigned char *buf)
{
    ssize_t got;
    do {
        got =
            recv(fd, buf, COACT__LIFELINE_PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC);
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0) {
        return errno == EAGAIN ? -EAGAIN : -EPROTO;
    }
    return (size_t)got > COACT__LIFELINE_PACKET_MAX ? -EPROTO : (int)got;
}
