/*
 * wire_nanomsg.c - frames over nanomsg: one bound NN_PULL, an NN_PUSH a peer.
 *
 * nanomsg is used as a mover of frames that may lose them, and reorder them
 * when it reconnects; what it promises beyond that does not hold, see
 * docs/wire.md.  Three things are done around it:
 *
 *   It never dials on its own.  A peer is tried with a socket of ours first
 *   (dial.h), then dialled by a fresh NN_PUSH, and when that one's connection
 *   breaks, or does not come about, the NN_PUSH is closed long before nanomsg
 *   would dial again.
 *
 *   A connection that nanomsg takes for good may be dead.  Only the session can
 *   know; it asks for renew.
 *
 *   Connections of strangers stay with the NN_PULL, dead ones for ever.  They
 *   cannot be closed one by one, so beyond a number the listener is closed and
 *   bound anew, and every peer with it connects again.
 *
 *   a peer is | means                          | left when
 *   waiting   | nothing is open                | its time has come
 *   trying    | our own connect is under way   | it stands, fails, takes 1 s
 *   dialling  | the NN_PUSH connects           | it does, fails, takes 1 s
 *   connected |                                | nanomsg counts it broken
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/dial.h"
#include "runtime/transport/frame.h"
#include "runtime/transport/wire.h"

#include "runtime/memory.h"

#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define LOOK_NS (10 * MS)     /* how often nanomsg's counters are read … */
#define LOOK_SOON_NS (2 * MS) /* … and while one is dialling */
#define LISTENER_NS (100 * MS)
#define LISTENER_IDLE_NS (1000 * MS) /* without a peer */
#define ATTEMPT_NS (1000 * MS)
#define BACKOFF_NS (20 * MS) /* doubles up to */
#define BACKOFF_MAX_NS (500 * MS)

/* The kernel's buffer: what is lost at most when a peer dies. */
#define BUFFER_BYTES (128 * 1024)

/* Longer than any NN_PUSH of ours is left alone with a broken connection. */
#define NANOMSG_REDIAL_MS 3600000

enum dial_state { WAITING, TRYING, DIALLING, CONNECTED };

struct coact__wire_peer {
    struct coact__wire_peer *next;
    struct coact__address address;
    enum dial_state state;
    int probe_fd; /* TRYING */
    int push;     /* DIALLING, CONNECTED */
    int send_fd;
    bool is_armed; /* send_fd is watched */
    uint32_t breaks;
    int64_t at_ns; /* WAITING: until; TRYING, DIALLING: give up */
    int64_t backoff_ns;
    char url[];
};

struct nanomsg_wire {
    struct coact__wire base;
    int epoll_fd;
    int pull; /* -1: could not be bound anew yet */
    int pull_fd;
    char *url;
    uint32_t strangers;
    struct coact__wire_peer *peers;
    uint32_t peer_count;
    uint32_t armed; /* one-shot watches that may have fired */
    int64_t now_ns, next_look_ns, next_listener_ns;
    struct coact__wire_stats stats;
};

static struct nanomsg_wire *
self(struct coact__wire *wire)
{
    return (struct nanomsg_wire *)wire;
}

static int
set(int socket, int level, int option, int value)
{
    return nn_setsockopt(socket, level, option, &value, sizeof(value)) == 0
               ? 0
               : -nn_errno();
}

static int
fd_of(int socket, int option, int *fd)
{
    size_t len = sizeof(*fd);
    return nn_getsockopt(socket, NN_SOL_SOCKET, option, fd, &len) == 0
               ? 0
               : -nn_errno();
}

static int
watch(struct nanomsg_wire *w, int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    event.data.fd = fd;
    return epoll_ctl(w->epoll_fd, op, fd, &event) == 0 ? 0 : -errno;
}

/* nanomsg speaks IPv4 only unless it is told otherwise, and then an address of
   IPv4 is none. */
static int
set_common(int socket, const char *url)
{
    int rc = set(socket, NN_TCP, NN_TCP_NODELAY, 1);
    if (rc == 0 && strncmp(url, "tcp://[", 7) == 0) {
        rc = set(socket, NN_SOL_SOCKET, NN_IPV4ONLY, 0);
    }
    return rc;
}

static int
bind_pull(struct nanomsg_wire *w)
{
    int pull = coact__fails() ? -1 : nn_socket(AF_SP, NN_PULL);
    if (pull < 0) {
        return -EMFILE;
    }
    int rc = set_common(pull, w->url);
    if (rc == 0) {
        rc = set(pull, NN_SOL_SOCKET, NN_RCVMAXSIZE, COACT__FRAME_MAX);
    }
    if (rc == 0) {
        rc = set(pull, NN_SOL_SOCKET, NN_RCVBUF, BUFFER_BYTES);
    }
    if (rc == 0 && nn_bind(pull, w->url) < 0) {
        rc = -nn_errno();
    }
    if (rc == 0) {
        rc = fd_of(pull, NN_RCVFD, &w->pull_fd);
    }
    if (rc == 0) {
        rc = watch(w, EPOLL_CTL_ADD, w->pull_fd, EPOLLIN);
    }
    if (rc != 0) {
        (void)nn_close(pull);
        return rc;
    }
    w->pull = pull;
    return 0;
}

static void
close_pull(struct nanomsg_wire *w)
{
    if (w->pull >= 0) {
        (void)watch(w, EPOLL_CTL_DEL, w->pull_fd, 0);
        (void)nn_close(w->pull);
        w->pull = -1;
    }
}

static int
wire_listen(struct coact__wire *wire, const char *address, uint32_t strangers)
{
    struct nanomsg_wire *w = self(wire);
    struct coact__address parsed;
    int rc = coact__address_parse(address, &parsed);
    if (rc != 0) {
        return rc;
    }
    w->url = coact__strdup(address);
    if (w->url == NULL) {
        return -ENOMEM;
    }
    w->strangers = strangers;
    return bind_pull(w);
}

static int
wire_check(const char *address)
{
    struct coact__address parsed;
    return coact__address_parse(address, &parsed);
}

static int
wire_open(struct coact__wire *wire, uint32_t node, const char *address,
          struct coact__wire_peer **out)
{
    struct nanomsg_wire *w = self(wire);
    size_t len = strlen(address) + 1;
    (void)node;
    struct coact__wire_peer *peer = coact__alloc_zeroed(sizeof(*peer) + len);
    if (peer == NULL) {
        return -ENOMEM;
    }
    int rc = coact__address_parse(address, &peer->address);
    if (rc != 0) {
        coact__free(peer);
        return rc;
    }
    memcpy(peer->url, address, len);
    peer->probe_fd = peer->push = -1;
    peer->at_ns = w->now_ns;
    peer->backoff_ns = BACKOFF_NS;
    peer->next = w->peers;
    w->peers = peer;
    w->peer_count++;
    w->next_look_ns = w->now_ns;
    *out = peer;
    return 0;
}

/* Back to WAITING, until at_ns. */
static void
hang_up(struct nanomsg_wire *w, struct coact__wire_peer *peer, int64_t at_ns)
{
    if (peer->probe_fd >= 0) {
        (void)close(peer->probe_fd); // leaves epoll with it
        peer->probe_fd = -1;
    }
    if (peer->push >= 0) {
        if (peer->is_armed) {
            // Its number may be another socket's as soon as this is closed.
            (void)watch(w, EPOLL_CTL_DEL, peer->send_fd, 0);
            peer->is_armed = false;
        }
        (void)nn_close(peer->push);
        peer->push = -1;
    }
    if (peer->state == CONNECTED) {
        peer->breaks++;
    }
    peer->state = WAITING;
    peer->at_ns = at_ns;
}

static void
wire_close(struct coact__wire *wire, struct coact__wire_peer *peer)
{
    struct nanomsg_wire *w = self(wire);
    struct coact__wire_peer **at = &w->peers;
    hang_up(w, peer, 0);
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    w->peer_count--;
    coact__free(peer);
}

static void
wire_renew(struct coact__wire *wire, struct coact__wire_peer *peer)
{
    struct nanomsg_wire *w = self(wire);
    if (peer->push >= 0) {
        hang_up(w, peer, w->now_ns);
        w->stats.renewed++;
        w->next_look_ns = w->now_ns;
    }
}

static void
fail_attempt(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    hang_up(w, peer, w->now_ns + peer->backoff_ns);
    peer->backoff_ns *= 2;
    if (peer->backoff_ns > BACKOFF_MAX_NS) {
        peer->backoff_ns = BACKOFF_MAX_NS;
    }
}

static int
connect_push(struct coact__wire_peer *peer)
{
    int push = coact__fails() ? -1 : nn_socket(AF_SP, NN_PUSH);
    if (push < 0) {
        return -EMFILE;
    }
    int rc = set_common(push, peer->url);
    if (rc == 0) {
        rc = set(push, NN_SOL_SOCKET, NN_SNDBUF, BUFFER_BYTES);
    }
    if (rc == 0) {
        rc = set(push, NN_SOL_SOCKET, NN_RECONNECT_IVL, NANOMSG_REDIAL_MS);
    }
    if (rc == 0) {
        rc = fd_of(push, NN_SNDFD, &peer->send_fd);
    }
    if (rc == 0 && nn_connect(push, peer->url) < 0) {
        rc = -nn_errno();
    }
    if (rc != 0) {
        (void)nn_close(push);
        return rc;
    }
    peer->push = push;
    return 0;
}

static void
dial(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    (void)close(peer->probe_fd);
    peer->probe_fd = -1;
    if (!coact__dial_has_room(&peer->address)) {
        w->stats.probes_failed++;
        fail_attempt(w, peer);
        return;
    }
    if (connect_push(peer) != 0) {
        fail_attempt(w, peer);
        return;
    }
    peer->state = DIALLING;
    peer->at_ns = w->now_ns + ATTEMPT_NS;
}

static void
look_at_probe(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    int rc = coact__dial_result(peer->probe_fd);
    if (rc == 0) {
        dial(w, peer);
    } else if (rc != -EAGAIN || w->now_ns >= peer->at_ns) {
        w->stats.probes_failed++;
        fail_attempt(w, peer);
    }
}

static void
try_address(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    if (coact__dial_start(&peer->address, &peer->probe_fd) != 0) {
        w->stats.probes_failed++;
        fail_attempt(w, peer);
        return;
    }
    peer->state = TRYING;
    peer->at_ns = w->now_ns + ATTEMPT_NS;
    // Without the watch the next look finds the result as well.
    (void)watch(w, EPOLL_CTL_ADD, peer->probe_fd, EPOLLOUT | EPOLLONESHOT);
    w->armed++;
    look_at_probe(w, peer);
}

static void
look_at_push(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    uint64_t current =
        nn_get_statistic(peer->push, NN_STAT_CURRENT_CONNECTIONS);
    bool is_bad =
        nn_get_statistic(peer->push, NN_STAT_BROKEN_CONNECTIONS) > 0 ||
        nn_get_statistic(peer->push, NN_STAT_CONNECT_ERRORS) > 0;
    if (peer->state == CONNECTED) {
        if (is_bad || current == 0) {
            hang_up(w, peer, w->now_ns);
        }
    } else if (is_bad || (current == 0 && w->now_ns >= peer->at_ns)) {
        fail_attempt(w, peer);
    } else if (current > 0) {
        peer->state = CONNECTED;
        peer->backoff_ns = BACKOFF_NS;
    }
}

static void
look_at(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    switch (peer->state) {
    case WAITING:
        if (w->now_ns >= peer->at_ns) {
            try_address(w, peer);
        }
        break;
    case TRYING:
        look_at_probe(w, peer);
        break;
    case DIALLING:
    case CONNECTED:
        look_at_push(w, peer);
        break;
    }
}

static void
look_at_listener(struct nanomsg_wire *w)
{
    w->next_listener_ns =
        w->now_ns + (w->peers != NULL ? LISTENER_NS : LISTENER_IDLE_NS);
    if (w->pull >= 0) {
        uint64_t current =
            nn_get_statistic(w->pull, NN_STAT_CURRENT_CONNECTIONS);
        if (current <= (uint64_t)w->peer_count + w->strangers) {
            return;
        }
        close_pull(w);
        w->stats.bound_anew++;
    }
    // If somebody has taken the address meanwhile, we wait for him to go.
    int rc = bind_pull(w);
    (void)rc;
}

/* Fired one-shot watches have done their duty by waking us. */
static void
collect_fired(struct nanomsg_wire *w)
{
    struct epoll_event events[32];
    int count;
    if (w->armed == 0) {
        return;
    }
    w->armed = 0;
    count = epoll_wait(w->epoll_fd, events, 32, 0);
    for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
        bool fired = false;
        for (int i = 0; i < count && p->is_armed; i++) {
            fired = fired || events[i].data.fd == p->send_fd;
        }
        if (fired) {
            (void)watch(w, EPOLL_CTL_DEL, p->send_fd, 0);
            p->is_armed = false;
        }
        w->armed += p->is_armed || p->state == TRYING ? 1 : 0;
    }
}

static int64_t
next_look(const struct coact__wire_peer *peer, int64_t now_ns)
{
    switch (peer->state) {
    case WAITING:
        return peer->at_ns;
    case CONNECTED:
        return now_ns + LOOK_NS;
    case TRYING:
    case DIALLING:
        break;
    }
    return now_ns + LOOK_SOON_NS;
}

static void
wire_tick(struct coact__wire *wire, int64_t now_ns)
{
    struct nanomsg_wire *w = self(wire);
    bool is_dialling = false;
    w->now_ns = now_ns;
    collect_fired(w);
    for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
        is_dialling = is_dialling || p->state == TRYING;
    }
    if (now_ns >= w->next_look_ns || is_dialling) {
        w->next_look_ns = INT64_MAX;
        for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
            look_at(w, p);
            int64_t next = next_look(p, now_ns);
            w->next_look_ns = next < w->next_look_ns ? next : w->next_look_ns;
        }
    }
    if (now_ns >= w->next_listener_ns) {
        look_at_listener(w);
    }
}

static int64_t
wire_next_ns(struct coact__wire *wire)
{
    struct nanomsg_wire *w = self(wire);
    return w->next_look_ns < w->next_listener_ns ? w->next_look_ns
                                                 : w->next_listener_ns;
}

static struct coact__wire_state
wire_state(struct coact__wire *wire, struct coact__wire_peer *peer)
{
    (void)wire;
    return (struct coact__wire_state){peer->state == CONNECTED, peer->breaks};
}

static uint8_t *
wire_frame_new(struct coact__wire *wire, size_t len)
{
    (void)wire;
    return coact__fails() ? NULL : nn_allocmsg(len, 0);
}

static void
wire_frame_free(struct coact__wire *wire, uint8_t *frame)
{
    (void)wire;
    (void)nn_freemsg(frame);
}

static void
arm(struct nanomsg_wire *w, struct coact__wire_peer *peer)
{
    if (!peer->is_armed &&
        watch(w, EPOLL_CTL_ADD, peer->send_fd, EPOLLIN | EPOLLONESHOT) == 0) {
        peer->is_armed = true;
        w->armed++;
    }
}

static int
wire_send(struct coact__wire *wire, struct coact__wire_peer *peer,
          uint8_t *frame, size_t len)
{
    (void)len; // nanomsg knows it
    if (peer->state != CONNECTED) {
        return -ENOTCONN;
    }
    if (nn_send(peer->push, &frame, NN_MSG, NN_DONTWAIT) >= 0) {
        return 0;
    }
    arm(self(wire), peer);
    return -EAGAIN;
}

static int
wire_receive(struct coact__wire *wire, uint8_t **frame, size_t *len)
{
    struct nanomsg_wire *w = self(wire);
    void *chunk = NULL;
    int got = w->pull < 0 ? -1 : nn_recv(w->pull, &chunk, NN_MSG, NN_DONTWAIT);
    if (got < 0) {
        return -EAGAIN;
    }
    *frame = chunk;
    *len = (size_t)got;
    return 0;
}

static int
wire_fd(struct coact__wire *wire)
{
    return self(wire)->epoll_fd;
}

static void
wire_stats(struct coact__wire *wire, struct coact__wire_stats *out)
{
    *out = self(wire)->stats;
}

static void
wire_free(struct coact__wire *wire)
{
    struct nanomsg_wire *w = self(wire);
    close_pull(w);
    (void)close(w->epoll_fd);
    coact__free(w->url);
    coact__free(w);
}

static const struct coact__wire_ops nanomsg_ops = {
    .listen = wire_listen,
    .check = wire_check,
    .open = wire_open,
    .close = wire_close,
    .renew = wire_renew,
    .state = wire_state,
    .frame_new = wire_frame_new,
    .frame_free = wire_frame_free,
    .send = wire_send,
    .receive = wire_receive,
    .fd = wire_fd,
    .tick = wire_tick,
    .next_ns = wire_next_ns,
    .stats = wire_stats,
    .free = wire_free,
};

int
coact__wire_nanomsg_new(struct coact__wire **out)
{
    struct nanomsg_wire *w = coact__alloc_zeroed(sizeof(*w));
    if (w == NULL) {
        return -ENOMEM;
    }
    w->base.ops = &nanomsg_ops;
    w->pull = -1;
    w->epoll_fd = coact__fails() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll_fd < 0) {
        coact__free(w);
        return -EMFILE;
    }
    *out = &w->base;
    return 0;
}
