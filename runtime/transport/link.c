/*
 * link.c - one turn of the transport: frames in, time, frames out.
 *
 * A turn takes what has arrived before it looks at the time: after a pause of
 * ours, the peers' heartbeats wait in the wire, and nobody may be called silent
 * before they have been read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/transport_internal.h"

#include "runtime/memory.h"

#include <unistd.h>

/* Frames taken in one turn, and sent to one peer in one turn: enough to make
   the rest of the turn cheap, few enough that nobody waits long for his. */
#define RECEIVE_MAX 128
#define SEND_MAX 16

static void
drop_waiting(struct coact__transport *t, struct coact__link *link)
{
    if (link->waiting != NULL) {
        t->wire->ops->frame_free(t->wire, link->waiting);
        link->waiting = NULL;
    }
}

/* True if the link may go on sending. */
static bool
flush_waiting(struct coact__transport *t, struct coact__link *link)
{
    if (link->waiting == NULL) {
        return true;
    }
    if (link->waiting_serial != link->session.serial) {
        drop_waiting(t, link); // of a session that is over
        return true;
    }
    int rc = t->wire->ops->send(t->wire, link->peer, link->waiting,
                                link->waiting_len);
    if (rc != 0) {
        return false;
    }
    link->waiting = NULL;
    return true;
}

/* Send what the session has; one frame more may wait for the wire. */
static bool
send_some(struct coact__transport *t, struct coact__link *link, int64_t now_ns)
{
    const struct coact__wire_ops *ops = t->wire->ops;
    for (int i = 0; i < SEND_MAX; i++) {
        if (!flush_waiting(t, link)) {
            return false;
        }
        size_t len = coact__session_ready(&link->session);
        if (len == 0) {
            return false;
        }
        uint8_t *frame = ops->frame_new(t->wire, len);
        if (frame == NULL) {
            t->retry_ns = now_ns + t->config.heartbeat_ns;
            return false;
        }
        coact__session_seal(&link->session, frame, now_ns);
        link->waiting = frame;
        link->waiting_len = len;
        link->waiting_serial = link->session.serial;
    }
    return flush_waiting(t, link);
}

static void
renew(struct coact__transport *t, struct coact__link *link, int64_t now_ns)
{
    drop_waiting(t, link);
    link->session.wants_renew = false;
    t->wire->ops->renew(t->wire, link->peer);
    link->breaks = t->wire->ops->state(t->wire, link->peer).breaks;
    coact__session_connected(&link->session, false, now_ns);
}

static void
watch_connection(struct coact__transport *t, struct coact__link *link,
                 int64_t now_ns)
{
    struct coact__wire_state state = t->wire->ops->state(t->wire, link->peer);
    if (state.breaks != link->breaks ||
        (link->session.is_connected && !state.is_connected)) {
        link->breaks = state.breaks;
        coact__session_broken(&link->session);
        drop_waiting(t, link);
        coact__session_connected(&link->session, false, now_ns);
        return;
    }
    coact__session_connected(&link->session, state.is_connected, now_ns);
}

static int
leave_why(const struct coact__transport *t)
{
    return atomic_load_explicit(&t->is_leaving, memory_order_relaxed)
               ? COACT__DOWN_STOPPED
               : COACT__DOWN_REMOVED;
}

static void
begin_to_leave(struct coact__transport *t, struct coact__link *link,
               int64_t now_ns)
{
    int64_t by =
        leave_why(t) == COACT__DOWN_STOPPED
            ? atomic_load_explicit(&t->leave_by_ns, memory_order_relaxed)
            : now_ns + COACT__SILENT_BEATS * t->config.heartbeat_ns;
    int64_t left = by > now_ns ? by - now_ns : 0;
    link->leave_ns = by > 0 ? by : 1; // 0 says that it has not begun
    coact__session_leave(&link->session, leave_why(t), by - left / 4);
}

static bool
has_left(const struct coact__link *link, int64_t now_ns)
{
    return link->leave_ns != 0 &&
           ((!link->session.is_up && !link->session.has_last_words) ||
            now_ns >= link->leave_ns);
}

static void
remove_link(struct coact__transport *t, uint32_t index)
{
    struct coact__link *link = t->links[index];
    coact__session_end(&link->session, leave_why(t), false);
    drop_waiting(t, link);
    if (link->peer != NULL) {
        t->wire->ops->close(t->wire, link->peer);
    }
    t->links[index] = t->links[--t->link_count];
    coact__link_table_remove(t->by_node, link->node);
    (void)pthread_rwlock_wrlock(&t->table_lock);
    coact__link_table_remove(t->bucket, link->node);
    t->table_count--;
    uint64_t messages;
    uint64_t bytes;
    (void)coact__session_backlog(&link->session, &messages, &bytes);
    t->gone_messages += messages;
    t->gone_bytes += bytes;
    (void)pthread_rwlock_unlock(&t->table_lock);
    coact__link_free(link); // nobody finds it any more
}

static void
take_in(struct coact__transport *t)
{
    // Not in every turn: senders hold this lock all the time.
    if (!atomic_exchange_explicit(&t->has_incoming, false,
                                  memory_order_relaxed)) {
        return;
    }
    (void)pthread_rwlock_wrlock(&t->table_lock);
    struct coact__link *list = t->incoming;
    t->incoming = NULL;
    (void)pthread_rwlock_unlock(&t->table_lock);
    while (list != NULL) {
        struct coact__link *link = list;
        list = link->next;
        t->links[t->link_count++] = link;
        t->by_node[coact__link_place(t->by_node, link->node)] = link;
    }
}

static void
dispatch(struct coact__transport *t, uint8_t *frame, size_t len, int64_t now_ns)
{
    uint32_t from;
    switch (coact__frame_shape(frame, len, &from)) {
    case COACT__SHAPE_BAD:
        coact__counter_add(&t->counters.malformed, 1);
        return;
    case COACT__SHAPE_OTHER_VERSION:
        coact__counter_add(&t->counters.version, 1);
        return;
    case COACT__SHAPE_HELLO:
    case COACT__SHAPE_DATA:
        break;
    }
    struct coact__link *link = t->by_node[coact__link_place(t->by_node, from)];
    if (link == NULL || link->peer == NULL) {
        coact__counter_add(&t->counters.stranger, 1);
    } else if (frame[0] == COACT__FRAME_DATA) {
        coact__session_data(&link->session, frame, len, now_ns);
    } else if (link->leave_ns == 0) {
        coact__session_hello(&link->session, frame, now_ns);
    }
}

/* True if there may be more. */
static bool
receive_some(struct coact__transport *t, int64_t now_ns)
{
    for (int i = 0; i < RECEIVE_MAX; i++) {
        uint8_t *frame;
        size_t len;
        if (t->wire->ops->receive(t->wire, &frame, &len) != 0) {
            return false;
        }
        dispatch(t, frame, len, now_ns);
        t->wire->ops->frame_free(t->wire, frame);
    }
    return true;
}

/* Dial, if memory lets us; else the next turn tries again. */
static bool
dial(struct coact__transport *t, struct coact__link *link)
{
    return link->peer != NULL ||
           t->wire->ops->open(t->wire, link->node, link->address,
                              &link->peer) == 0;
}

/* True if the link has more to send right away. */
static bool
serve(struct coact__transport *t, struct coact__link *link, int64_t now_ns)
{
    if (!dial(t, link)) {
        t->retry_ns = now_ns + t->config.heartbeat_ns;
        return false;
    }
    watch_connection(t, link, now_ns);
    coact__session_tick(&link->session, now_ns);
    bool has_more = send_some(t, link, now_ns);
    if (link->session.wants_renew) {
        renew(t, link, now_ns);
    }
    return has_more;
}

static void
publish_stats(struct coact__transport *t)
{
    struct coact__wire_stats stats;
    t->wire->ops->stats(t->wire, &stats);
    atomic_store_explicit(&t->renewed, stats.renewed, memory_order_relaxed);
    atomic_store_explicit(&t->bound_anew, stats.bound_anew,
                          memory_order_relaxed);
    atomic_store_explicit(&t->probes_failed, stats.probes_failed,
                          memory_order_relaxed);
}

/* It may not have rung, or ring only after this; then we wake once more. */
static void
silence_bell(struct coact__transport *t)
{
    uint64_t count;
    ssize_t done = read(t->bell_fd, &count, sizeof(count));
    (void)done;
}

/* Leaving begins once; its end may be moved forward. */
static void
watch_leaving(struct coact__transport *t, struct coact__link *link, bool stops,
              int64_t now_ns)
{
    if (link->leave_ns == 0) {
        if (stops ||
            atomic_load_explicit(&link->is_leaving, memory_order_relaxed)) {
            begin_to_leave(t, link, now_ns);
        }
        return;
    }
    if (stops) {
        int64_t by =
            atomic_load_explicit(&t->leave_by_ns, memory_order_relaxed);
        by = by > 0 ? by : 1;
        link->leave_ns = by < link->leave_ns ? by : link->leave_ns;
    }
    // A session that a handshake from before has begun meanwhile.
    coact__session_leave(&link->session, leave_why(t), now_ns);
}

void
coact__transport_step(struct coact__transport *t, int64_t now_ns)
{
    int was = atomic_exchange_explicit(&t->state, COACT__TRANSPORT_IDLE,
                                       memory_order_acq_rel);
    if (was == COACT__TRANSPORT_WORK) {
        silence_bell(t);
    }
    t->retry_ns = INT64_MAX;
    take_in(t);
    t->wire->ops->tick(t->wire, now_ns);
    bool has_more = receive_some(t, now_ns);
    bool stops = atomic_load_explicit(&t->is_leaving, memory_order_acquire);
    for (uint32_t i = 0; i < t->link_count;) {
        struct coact__link *link = t->links[i];
        watch_leaving(t, link, stops, now_ns);
        has_more = serve(t, link, now_ns) || has_more;
        if (has_left(link, now_ns)) {
            remove_link(t, i); // another is at i now
        } else {
            i++;
        }
    }
    publish_stats(t);
    if (stops && t->link_count == 0) {
        atomic_store_explicit(&t->has_left, true, memory_order_release);
    }
    if (has_more) {
        coact__transport_wake(t);
    }
}

int64_t
coact__transport_next_ns(struct coact__transport *t)
{
    int idle = COACT__TRANSPORT_IDLE;
    if (!atomic_compare_exchange_strong_explicit(
            &t->state, &idle, COACT__TRANSPORT_ASLEEP, memory_order_acq_rel,
            memory_order_acquire) &&
        idle == COACT__TRANSPORT_WORK) {
        return INT64_MIN;
    }
    int64_t next = t->wire->ops->next_ns(t->wire);
    next = t->retry_ns < next ? t->retry_ns : next;
    for (uint32_t i = 0; i < t->link_count; i++) {
        struct coact__link *link = t->links[i];
        int64_t due = coact__session_next_ns(&link->session);
        next = due < next ? due : next;
        if (link->leave_ns != 0 && link->leave_ns < next) {
            next = link->leave_ns;
        }
    }
    return next;
}
