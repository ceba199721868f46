/*
 * transport.c - start, stop, and what any thread may call.
 *
 * A sender finds the link in the table under a read lock, copies its message
 * under the link's lock, and rings the bell only if the thread may be asleep:
 * usually it is not, and then a send makes no system call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/transport_internal.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

const char *
coact__down_text(int why)
{
    switch (why) {
#define TEXT(name, text)                                                       \
    case COACT__DOWN_##name:                                                   \
        return text;
        COACT__DOWN_TABLE(TEXT)
#undef TEXT
    default:
        return "up";
    }
}

uint32_t
coact__link_place(struct coact__link *const *table, uint32_t node)
{
    uint32_t at = (node * 0x9e3779b1u) >> 22;
    while (table[at] != NULL && table[at]->node != node) {
        at = (at + 1) % COACT__LINK_BUCKETS;
    }
    return at;
}

/* Close the hole: whoever follows it may have been pushed on by it. */
void
coact__link_table_remove(struct coact__link **table, uint32_t node)
{
    uint32_t at = coact__link_place(table, node);
    table[at] = NULL;
    for (;;) {
        at = (at + 1) % COACT__LINK_BUCKETS;
        struct coact__link *link = table[at];
        if (link == NULL) {
            return;
        }
        table[at] = NULL;
        table[coact__link_place(table, link->node)] = link;
    }
}

void
coact__link_free(struct coact__link *link)
{
    coact__session_fini(&link->session);
    coact__free(link->address);
    coact__free(link);
}

static void
ring(struct coact__transport *t)
{
    uint64_t one = 1;
    // It can fail only if the bell rings already.
    ssize_t done = write(t->bell_fd, &one, sizeof(one));
    (void)done;
}

void
coact__transport_wake(struct coact__transport *t)
{
    int was = atomic_exchange_explicit(&t->state, COACT__TRANSPORT_WORK,
                                       memory_order_acq_rel);
    if (was == COACT__TRANSPORT_ASLEEP) {
        ring(t);
    }
}

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

__attribute__((format(printf, 4, 5))) static int
say(int code, char *error, size_t error_bytes, const char *format, ...)
{
    if (error != NULL && error_bytes > 0) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(error, error_bytes, format, args);
        va_end(args);
    }
    return code;
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
        return say(-EINVAL, error, bytes, "transport: no address to listen at");
    }
    if (o->incarnation != 0 && (uint32_t)o->incarnation == 0) {
        return say(-EINVAL, error, bytes,
                   "transport: the lower half of the incarnation is 0");
    }
    if (o->heartbeat_ns < 0 || o->stall_ns < 0) {
        return say(-EINVAL, error, bytes, "transport: a time is negative");
    }
    if (o->window_bytes != 0 && o->window_bytes < COACT__WINDOW_MIN) {
        return say(-EINVAL, error, bytes,
                   "transport: a window of %u bytes is below the least, %u",
                   o->window_bytes, COACT__WINDOW_MIN);
    }
    if (o->backlog_bytes != 0 && o->backlog_bytes < COACT__FRAME_PLAIN) {
        return say(-EINVAL, error, bytes,
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
        (void)say(rc, error, error_bytes, "transport: %s", coact_strerror(rc));
        goto free_wire;
    }
    t = coact__alloc_zeroed(sizeof(*t));
    if (t == NULL) {
        rc = say(-ENOMEM, error, error_bytes, "transport: no memory");
        goto free_wire;
    }
    t->wire = wire;
    t->retry_ns = INT64_MAX;
    t->has_thread = !options->no_thread;
    configure(t, options);
    rc = wire->ops->listen(wire, options->listen,
                           or_default(options->strangers_max, STRANGERS_MAX));
    if (rc != 0) {
        (void)say(rc, error, error_bytes, "transport: cannot listen at %s: %s",
                  options->listen, coact_strerror(rc));
        goto free_transport;
    }
    rc = open_fds(t);
    if (rc != 0) {
        (void)say(rc, error, error_bytes, "transport: %s", coact_strerror(rc));
        goto free_transport;
    }
    init_table_lock(t);
    rc = t->has_thread ? start_thread(t) : 0;
    if (rc != 0) {
        (void)say(rc, error, error_bytes, "transport: no thread: %s",
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

static struct coact__link *
new_link(struct coact__transport *t, uint32_t node, const char *address)
{
    struct coact__link *link = coact__alloc_zeroed(sizeof(*link));
    if (link == NULL) {
        return NULL;
    }
    link->node = node;
    link->address = coact__strdup(address);
    if (link->address == NULL ||
        coact__session_init(&link->session, &t->config, node) != 0) {
        coact__free(link->address);
        coact__free(link);
        return NULL;
    }
    return link;
}

static int
insert(struct coact__transport *t, struct coact__link *link)
{
    uint32_t at = coact__link_place(t->bucket, link->node);
    if (t->bucket[at] != NULL) {
        return -EEXIST;
    }
    if (t->table_count >= COACT__LINKS_MAX) {
        return -EMFILE;
    }
    if (atomic_load_explicit(&t->is_leaving, memory_order_relaxed)) {
        return -ESHUTDOWN;
    }
    t->bucket[at] = link;
    t->table_count++;
    link->next = t->incoming;
    t->incoming = link;
    atomic_store_explicit(&t->has_incoming, true, memory_order_relaxed);
    return 0;
}

int
coact__transport_add_peer(struct coact__transport *t, uint32_t node,
                          const char *address)
{
    if (node == t->config.self.node || t->wire->ops->check(address) != 0) {
        return -EINVAL;
    }
    struct coact__link *link = new_link(t, node, address);
    if (link == NULL) {
        return -ENOMEM;
    }
    (void)pthread_rwlock_wrlock(&t->table_lock);
    int rc = insert(t, link);
    (void)pthread_rwlock_unlock(&t->table_lock);
    if (rc != 0) {
        coact__link_free(link);
    } else {
        coact__transport_wake(t);
    }
    return rc;
}

/* Found, and read-locked until done with. */
static struct coact__link *
hold(struct coact__transport *t, uint32_t node)
{
    (void)pthread_rwlock_rdlock(&t->table_lock);
    return t->bucket[coact__link_place(t->bucket, node)];
}

static void
release(struct coact__transport *t)
{
    (void)pthread_rwlock_unlock(&t->table_lock);
}

int
coact__transport_remove_peer(struct coact__transport *t, uint32_t node)
{
    struct coact__link *link = hold(t, node);
    if (link != NULL) {
        atomic_store_explicit(&link->is_leaving, true, memory_order_relaxed);
    }
    release(t);
    if (link == NULL) {
        return -ENOENT;
    }
    coact__transport_wake(t);
    return 0;
}

int
coact__transport_send(struct coact__transport *t, uint32_t node,
                      uint32_t incarnation, uint64_t lane, unsigned flags,
                      const struct iovec *parts, int count)
{
    bool wakes = false;
    struct coact__link *link = hold(t, node);
    int rc = link == NULL
                 ? -ENOTCONN
                 : coact__session_send(&link->session, incarnation, lane, flags,
                                       parts, count, &wakes);
    release(t);
    if (wakes) {
        coact__transport_wake(t);
    }
    return rc;
}

void
coact__transport_consumed(struct coact__transport *t, uint32_t node,
                          uint32_t incarnation, size_t len)
{
    struct coact__link *link = hold(t, node);
    bool wakes = link != NULL &&
                 coact__session_consumed(&link->session, incarnation, len);
    release(t);
    if (wakes) {
        coact__transport_wake(t);
    }
}

uint64_t
coact__transport_incarnation(const struct coact__transport *t)
{
    return t->config.self.incarnation;
}

int
coact__transport_fd(const struct coact__transport *t)
{
    return t->epoll_fd;
}

static void
add_links(struct coact__transport *t, struct coact__transport_stats *out)
{
    (void)pthread_rwlock_rdlock(&t->table_lock);
    out->peers = t->table_count;
    out->messages_out = t->gone_messages;
    out->bytes_out = t->gone_bytes;
    for (uint32_t i = 0; i < COACT__LINK_BUCKETS; i++) {
        if (t->bucket[i] != NULL) {
            uint64_t messages;
            uint64_t bytes;
            out->backlog_bytes += coact__session_backlog(&t->bucket[i]->session,
                                                         &messages, &bytes);
            out->messages_out += messages;
            out->bytes_out += bytes;
        }
    }
    (void)pthread_rwlock_unlock(&t->table_lock);
}

void
coact__transport_stats(struct coact__transport *t,
                       struct coact__transport_stats *out)
{
    const struct coact__counters *c = &t->counters;
    memset(out, 0, sizeof(*out));
    out->frames_out = coact__counter_get(&c->frames_out);
    out->frames_in = coact__counter_get(&c->frames_in);
    out->messages_in = coact__counter_get(&c->messages_in);
    out->bytes_in = coact__counter_get(&c->bytes_in);
    out->sessions_ended = coact__counter_get(&c->sessions_ended);
    out->sessions_begun = coact__counter_get(&c->sessions_begun);
    for (int why = 0; why <= COACT__DOWN_STOPPED; why++) {
        out->ended[why] = coact__counter_get(&c->ended[why]);
    }
#define GET(name, text) out->rejected.name = coact__counter_get(&c->name);
    COACT__REJECT_TABLE(GET)
#undef GET
    out->sockets_renewed = coact__counter_get(&t->renewed);
    out->listener_bound_anew = coact__counter_get(&t->bound_anew);
    out->probes_failed = coact__counter_get(&t->probes_failed);
    out->links_up = out->sessions_begun - out->sessions_ended;
    add_links(t, out);
}
