/*
 * transport.c - what any thread may call.
 *
 * A sender finds the link in the table under a read lock, copies its message
 * under the link's lock, and rings the bell only if the thread may be asleep:
 * usually it is not, and then a send makes no system call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/transport_internal.h"

#include "runtime/memory.h"

#include <string.h>
#include <unistd.h>

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
