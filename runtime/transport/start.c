/*
 * start.c - the transport begins, runs on its thread, and ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/transport_internal.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/transport/say.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HEARTBEAT_NS INT64_C(100000000)
#define WINDOW_BYTES (256u * 1024)
#define BACKLOG_BYTES (1024u * 1024)
#define URGENT_BYTES (256u * 1024)
#define MESSAGE_BYTES_MAX (((uint64_t)64 << 20) + (64u << 10))
#define STRANGERS_MAX 1000u

/* All links together may compute 64 answers at once, and then 1000 a second:
   a tenth of one core. */
#define ANSWER_NS INT64_C(1000000)
#define ANSWER_BURST 64

/* Milliseconds for epoll, rounded up: waking early would only wake us twice. */
static int
wait_ms(int64_t next_ns)
{
    if (next_ns == INT64_MAX) {
        return -1;
    }
    if (next_ns == INT64_MIN) {
        return 0;
    }
    int64_t left = next_ns - coact__oracle_now_ns();
    int64_t ms = left <= 0 ? 0 : (left + 999999) / 1000000;
    return ms > 1000 ? 1000 : (int)ms;
}

static void *
run(void *arg)
{
    struct coact__transport *t = arg;
    struct epoll_event events[2];
    while (!atomic_load_explicit(&t->has_left, memory_order_relaxed)) {
        int ms = wait_ms(coact__transport_next_ns(t));
        if (ms != 0) {
            (void)epoll_wait(t->epoll_fd, events, 2, ms);
        }
        coact__transport_step(t, coact__oracle_now_ns());
    }
    return NULL;
}

/* Of which the lower half, the part in addresses, is not 0. */
static uint64_t
draw_incarnation(void)
{
    uint64_t incarnation;
    do {
        coact__oracle_random(&incarnation, sizeof(incarnation));
    } while ((uint32_t)incarnation == 0);
    return incarnation;
}

static int
check(const struct coact__transport_options *o, char *error, size_t bytes)
{
    if (o->listen == NULL) {
        return coact__say(-EINVAL, error, bytes,
                          "transport: no address to listen at");
    }
    if (o->incarnation != 0 && (uint32_t)o->incarnation == 0) {
        return coact__say(-EINVAL, error, bytes,
                          "transport: the lower half of the incarnation is 0");
    }
    if (o->heartbeat_ns < 0 || o->stall_ns < 0) {
        return coact__say(-EINVAL, error, bytes,
                          "transport: a time is negative");
    }
    if (o->window_bytes != 0 && o->window_bytes < COACT__WINDOW_MIN) {
        return coact__say(
            -EINVAL, error, bytes,
            "transport: a window of %u bytes is below the least, %u",
            o->window_bytes, COACT__WINDOW_MIN);
    }
    if (o->backlog_bytes != 0 && o->backlog_bytes < COACT__FRAME_PLAIN) {
        return coact__say(
            -EINVAL, error, bytes,
            "transport: a backlog of %u bytes holds less than a frame",
            o->backlog_bytes);
    }
    return 0;
}

static uint32_t
or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void
configure(struct coact__transport *t, const struct coact__transport_options *o)
{
    struct coact__session_config *cfg = &t->config;
    uint64_t longest =
        o->message_bytes_max != 0 ? o->message_bytes_max : MESSAGE_BYTES_MAX;
    coact__crypto_derive(&t->keys, o->key);
    t->ration.interval_ns = ANSWER_NS;
    t->ration.burst_ns = ANSWER_BURST * ANSWER_NS;
    cfg->self = (struct coact__identity){
        .keys = &t->keys,
        .node = o->node,
        .incarnation =
            o->incarnation != 0 ? o->incarnation : draw_incarnation(),
        .window = or_default(o->window_bytes, WINDOW_BYTES),
        .message_max = longest,
        .ration = &t->ration,
    };
    cfg->limits = (struct coact__outbox_limits){
        .backlog_bytes = or_default(o->backlog_bytes, BACKLOG_BYTES),
        .urgent_bytes = or_default(o->urgent_bytes, URGENT_BYTES),
        .long_bytes = (size_t)longest,
    };
    cfg->heartbeat_ns = o->heartbeat_ns != 0 ? o->heartbeat_ns : HEARTBEAT_NS;
    cfg->stall_ns = o->stall_ns;
    cfg->hooks = o->hooks;
    cfg->owner = o->owner;
    cfg->counters = &t->counters;
}

static int
watch(struct coact__transport *t, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (fd < 0) {
        return 0;
    }
    event.data.fd = fd;
    return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int
open_fds(struct coact__transport *t)
{
    int rc;
    t->epoll_fd = coact__fails() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll_fd < 0) {
        return -EMFILE;
    }
    t->bell_fd = coact__fails() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->bell_fd < 0) {
        rc = -EMFILE;
        goto close_epoll;
    }
    rc = watch(t, t->bell_fd);
    if (rc == 0) {
        rc = watch(t, t->wire->ops->fd(t->wire));
    }
    if (rc == 0) {
        return 0;
    }
    (void)close(t->bell_fd);
close_epoll:
    (void)close(t->epoll_fd);
    return rc;
}

/* Senders come without end, so whoever adds a peer goes first; else he might
   wait for ever. */
static void
init_table_lock(struct coact__transport *t)
{
    pthread_rwlockattr_t writers_first;
    (void)pthread_rwlockattr_init(&writers_first);
    (void)pthread_rwlockattr_setkind_np(
        &writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&t->table_lock, &writers_first);
    (void)pthread_rwlockattr_destroy(&writers_first);
}

/* With all signals blocked: they are for the host's threads. */
static int
start_thread(struct coact__transport *t)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = coact__fails() ? EAGAIN : pthread_create(&t->thread, NULL, run, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        (void)pthread_setname_np(t->thread, "coact-wire");
    }
    return -rc;
}

int
coact__transport_start(const struct coact__transport_options *options,
                       struct coact__transport **out, char *error,
                       size_t error_bytes)
{
    struct coact__wire *wire = options->wire;
    struct coact__transport *t = NULL;
    int rc = check(options, error, error_bytes);
    if (rc != 0) {
        goto free_wire;
    }
    rc = coact__crypto_start();
    if (rc == 0 && wire == NULL) {
        rc = coact__wire_nanomsg_new(&wire);
    }
    if (rc != 0) {
        (void)coact__say(rc, error, error_bytes, "transport: %s",
                         coact_strerror(rc));
        goto free_wire;
    }
    t = coact__alloc_zeroed(sizeof(*t));
    if (t == NULL) {
        rc = coact__say(-ENOMEM, error, error_bytes, "transport: no memory");
        goto free_wire;
    }
    t->wire = wire;
    t->retry_ns = INT64_MAX;
    t->has_thread = !options->no_thread;
    configure(t, options);
    rc = wire->ops->listen(wire, options->listen,
                           or_default(options->strangers_max, STRANGERS_MAX));
    if (rc != 0) {
        (void)coact__say(rc, error, error_bytes,
                         "transport: cannot listen at %s: %s", options->listen,
                         coact_strerror(rc));
        goto free_transport;
    }
    rc = open_fds(t);
    if (rc != 0) {
        (void)coact__say(rc, error, error_bytes, "transport: %s",
                         coact_strerror(rc));
        goto free_transport;
    }
    init_table_lock(t);
    rc = t->has_thread ? start_thread(t) : 0;
    if (rc != 0) {
        (void)coact__say(rc, error, error_bytes, "transport: no thread: %s",
                         coact_strerror(rc));
        goto close_fds;
    }
    *out = t;
    return 0;

close_fds:
    (void)pthread_rwlock_destroy(&t->table_lock);
    (void)close(t->bell_fd);
    (void)close(t->epoll_fd);
free_transport:
    coact__crypto_wipe(&t->keys, sizeof(t->keys));
    coact__free(t);
free_wire:
    if (wire != NULL) {
        wire->ops->free(wire);
    }
    return rc;
}

void
coact__transport_leave(struct coact__transport *t, int64_t deadline_ns)
{
    atomic_store_explicit(&t->leave_by_ns, deadline_ns, memory_order_relaxed);
    atomic_store_explicit(&t->is_leaving, true, memory_order_release);
    coact__transport_wake(t);
}

bool
coact__transport_has_left(struct coact__transport *t)
{
    return atomic_load_explicit(&t->has_left, memory_order_acquire);
}

static void
free_links(struct coact__transport *t)
{
    // With the deadline in the past, one turn ends what is left, whatever the
    // wire does.
    coact__transport_leave(t, INT64_MIN);
    while (!coact__transport_has_left(t)) {
        coact__transport_step(t, coact__oracle_now_ns());
    }
}

void
coact__transport_stop(struct coact__transport *t, int64_t deadline_ns)
{
    if (t->has_thread) {
        coact__transport_leave(t, deadline_ns);
        (void)pthread_join(t->thread, NULL);
    } else {
        free_links(t);
    }
    t->wire->ops->free(t->wire);
    (void)close(t->bell_fd);
    (void)close(t->epoll_fd);
    (void)pthread_rwlock_destroy(&t->table_lock);
    coact__crypto_wipe(&t->keys, sizeof(t->keys));
    coact__free(t);
}
