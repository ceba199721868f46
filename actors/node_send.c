/*
 * node_send.c - what leaves for other nodes.
 *
 * All that one actor sends another goes in one lane of the link: its messages,
 * and behind them the news of its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/node_state.h"
#include "mailbox/codec.h"
#include "mailbox/type.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

#define SMALL_BYTES 512

static uint64_t
lane_of(const struct coact__record *record)
{
    // Any mix will do: two pairs that share a lane only wait for each other.
    uint64_t from = coact__tie_key(record->from);
    return (from * UINT64_C(0x9e3779b97f4a7c15)) ^ coact__tie_key(record->to);
}

int
coact__node_put(struct coact__node *node, const struct coact__record *record,
                const void *tail, size_t tail_bytes, unsigned flags)
{
    uint8_t head[COACT__RECORD_HEAD];
    coact__record_put(record, head);
    union {
        const void *in;
        void *out;
    } cast = {.in = tail}; // an iovec has no const; the transport only reads
    const struct iovec parts[2] = {{head, sizeof(head)},
                                   {cast.out, tail_bytes}};
    return coact__transport_send(node->transport, record->to.node,
                                 record->to.incarnation, lane_of(record),
                                 flags, parts, tail_bytes > 0 ? 2 : 1);
}

int
coact__node_put_reason(struct coact__node *node,
                       const struct coact__record *record,
                       const struct coact_reason *reason)
{
    uint8_t tail[COACT__RECORD_REASON];
    size_t bytes = coact__reason_put(reason, tail);
    return coact__node_put(node, record, tail, bytes, COACT__SEND_URGENT);
}

/* ---- Messages ---- */

static int
put_large(struct coact__node *node, const struct coact__record *record,
          struct coact_type *type, const void *payload, unsigned flags)
{
    size_t room = coact__codec_size(type, payload);
    void *bytes = coact__alloc(room > 0 ? room : 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    ptrdiff_t used = coact__codec_encode(type, payload, bytes, room);
    if (used > (ptrdiff_t)(COACT__URGENT_BYTES_MAX - COACT__RECORD_HEAD)) {
        flags &= ~COACT__SEND_URGENT;
    }
    int rc = used < 0 ? (int)used
                      : coact__node_put(node, record, bytes, (size_t)used,
                                        flags);
    coact__free(bytes);
    return rc;
}

/* Encode the payload and send it as the record's tail. */
static int
put_payload(struct coact__node *node, const struct coact__record *record,
            struct coact_type *type, const void *payload, unsigned flags)
{
    uint8_t small[SMALL_BYTES];
    ptrdiff_t used =
        coact__codec_encode(type, payload, small, sizeof(small));
    if (used == -EOVERFLOW) {
        return put_large(node, record, type, payload, flags);
    }
    return used < 0
               ? (int)used
               : coact__node_put(node, record, small, (size_t)used, flags);
}

static int64_t
left_of(int64_t deadline_ns)
{
    if (deadline_ns == COACT_FOREVER) {
        return COACT_FOREVER;
    }
    int64_t left = deadline_ns - coact__oracle_now_ns();
    return left > 0 ? left : 0;
}

/* The envelope stays the caller's. */
static int
put_envelope(struct coact_runtime *runtime, coact_ref to,
             struct coact__envelope *envelope)
{
    if (runtime->remote == NULL) {
        return -ENOTCONN;
    }
    struct coact__record record = {.kind = COACT__RECORD_MESSAGE,
                                   .from = envelope->from,
                                   .to = to,
                                   .type = coact_type_id(envelope->type)};
    if (envelope->item.kind == COACT__KIND_REQUEST) {
        struct coact__request *request = coact__request_of(envelope);
        record.kind = COACT__RECORD_REQUEST;
        record.caller = request->caller;
        record.call = request->call;
        record.left_ns = left_of(request->deadline_ns);
        coact__call_leaves(runtime, request, to);
    }
    return put_payload(runtime->remote, &record, envelope->type,
                       coact__payload_of(envelope), 0);
}

/* It is on its way, with the duty to answer; or it is destroyed. */
static int
finish_dispatch(struct coact_runtime *runtime,
                struct coact__envelope *envelope, int rc)
{
    if (rc == 0 && envelope->item.kind == COACT__KIND_REQUEST) {
        coact__request_of(envelope)->call = 0;
    }
    coact__envelope_drop(
        runtime, envelope, rc,
        &(const struct coact_reason){
            .code = rc == -ENOTCONN ? COACT_NOCONNECTION : rc});
    return rc;
}

int
coact__node_dispatch(struct coact_runtime *runtime, coact_ref to,
                     struct coact__envelope *envelope)
{
    return finish_dispatch(runtime, envelope,
                           put_envelope(runtime, to, envelope));
}

int
coact__node_dispatch_wait(struct coact__actor *actor, coact_ref to,
                          struct coact__envelope *envelope,
                          int64_t deadline_ns)
{
    struct coact_runtime *runtime = actor->runtime;
    struct coact__node_waiter waiter = {.task = &actor->task};
    int rc = put_envelope(runtime, to, envelope);
    while (rc == -EAGAIN) {
        coact__node_enlist(runtime->remote, &waiter);
        rc = put_envelope(runtime, to, envelope); // it may have been in between
        if (rc == -EAGAIN && deadline_ns != COACT_FOREVER &&
            coact__oracle_now_ns() >= deadline_ns) {
            rc = -ETIMEDOUT;
        }
        if (rc == -EAGAIN) {
            coact__wait(actor, "send", COACT__INBOX_DEAF, deadline_ns);
            int interrupted = coact__interrupted(actor);
            rc = interrupted < 0 ? interrupted
                                 : put_envelope(runtime, to, envelope);
        }
        coact__node_delist(runtime->remote, &waiter);
    }
    return finish_dispatch(runtime, envelope, rc);
}

int
coact__node_answer(struct coact_runtime *runtime,
                   const struct coact__request *request,
                   struct coact_type *type, const void *payload, int rc,
                   const struct coact_reason *reason)
{
    if (runtime->remote == NULL) {
        return -ENOTCONN;
    }
    struct coact__record record = {
        .kind = COACT__RECORD_REPLY,
        .from = coact_self(),
        .to = request->caller,
        .call = request->call,
        .type = type != NULL ? coact_type_id(type) : 0};
    int sent = type != NULL ? put_payload(runtime->remote, &record, type,
                                          payload, COACT__SEND_URGENT)
                            : rc;
    if (sent == 0 || sent == -ENOTCONN) {
        return sent;
    }
    // No reply, or one that cannot be sent: the caller is not left waiting.
    record.kind = COACT__RECORD_FAILURE;
    record.code = sent;
    const struct coact_reason none = {.code = sent};
    return coact__node_put_reason(runtime->remote, &record,
                                  reason != NULL ? reason : &none);
}

/* ---- Signals ---- */

int
coact__node_signal(struct coact_runtime *runtime, coact_ref from, coact_ref to,
                   const struct coact_reason *reason, bool is_kill)
{
    if (runtime->remote == NULL) {
        return -ENOTCONN;
    }
    const struct coact__record record = {.kind = is_kill
                                                     ? COACT__RECORD_KILL
                                                     : COACT__RECORD_SIGNAL,
                                         .from = from,
                                         .to = to};
    return coact__node_put_reason(runtime->remote, &record, reason);
}

/* Lock the node and find the peer that has this incarnation; NULL: unlocked. */
static struct coact__peer *
lock_peer(struct coact_runtime *runtime, coact_ref there)
{
    struct coact__node *node = runtime->remote;
    if (node == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, there.node);
    if (peer == NULL || peer->incarnation != there.incarnation) {
        pthread_mutex_unlock(&node->lock);
        return NULL;
    }
    return peer;
}

/* Add the tie and tell the peer, or do neither. */
static int
tie_and_tell(struct coact__node *node, struct coact__peer *peer,
             const struct coact__tie *tie, const struct coact__record *record)
{
    int rc = coact__tie_add(peer, tie);
    if (rc == 0) {
        rc = coact__node_put(node, record, NULL, 0, COACT__SEND_URGENT);
        if (rc < 0) {
            coact__tie_remove(peer,
                              coact__tie_find(peer, tie->kind, tie->a, tie->b));
        }
    }
    return rc;
}

int
coact__node_watch(struct coact_runtime *runtime, struct coact__watch *watch)
{
    struct coact__peer *peer = lock_peer(runtime, watch->target);
    if (peer == NULL) {
        return -ENOTCONN;
    }
    uint64_t id = watch->news.down.monitor.id;
    const struct coact__tie tie = {
        .kind = COACT__TIE_WATCHING, .a = id, .watch = watch};
    const struct coact__record record = {.kind = COACT__RECORD_WATCH,
                                         .from = watch->watcher,
                                         .to = watch->target,
                                         .type = id};
    int rc = tie_and_tell(runtime->remote, peer, &tie, &record);
    pthread_mutex_unlock(&runtime->remote->lock);
    return rc;
}

void
coact__node_unwatch(struct coact_runtime *runtime, struct coact__watch *watch)
{
    struct coact__peer *peer = lock_peer(runtime, watch->target);
    uint64_t id = watch->news.down.monitor.id;
    struct coact__tie *tie =
        peer != NULL ? coact__tie_find(peer, COACT__TIE_WATCHING, id, 0)
                     : NULL;
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
        const struct coact__record record = {.kind = COACT__RECORD_UNWATCH,
                                             .from = watch->watcher,
                                             .to = watch->target,
                                             .type = id};
        // If it cannot be sent the link is down, and there is no monitor.
        (void)!coact__node_put(runtime->remote, &record, NULL, 0,
                               COACT__SEND_URGENT);
        coact__watch_unhold(watch);
    }
    if (peer != NULL) {
        pthread_mutex_unlock(&runtime->remote->lock);
    }
    coact__watch_unhold(watch);
}

void
coact__node_down(struct coact_runtime *runtime, struct coact__watch *watch,
                 const struct coact_reason *reason)
{
    struct coact__peer *peer = lock_peer(runtime, watch->watcher);
    uint64_t id = watch->news.down.monitor.id;
    struct coact__tie *tie =
        peer != NULL ? coact__tie_find(peer, COACT__TIE_WATCHED, id, 0) : NULL;
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
        const struct coact__record record = {.kind = COACT__RECORD_DOWN,
                                             .from = watch->target,
                                             .to = watch->watcher,
                                             .type = id};
        (void)!coact__node_put_reason(runtime->remote, &record, reason);
        coact__watch_unhold(watch);
    }
    if (peer != NULL) {
        pthread_mutex_unlock(&runtime->remote->lock);
    }
    coact__watch_unhold(watch);
}

int
coact__node_link(struct coact_runtime *runtime, struct coact__bond *bond)
{
    coact_ref here = bond->side[0].owner;
    coact_ref there = bond->side[1].owner;
    struct coact__peer *peer = lock_peer(runtime, there);
    if (peer == NULL) {
        return -ENOTCONN;
    }
    const struct coact__tie tie = {.kind = COACT__TIE_LINK,
                                   .a = coact__tie_key(here),
                                   .b = coact__tie_key(there),
                                   .bond = bond};
    const struct coact__record record = {
        .kind = COACT__RECORD_LINK, .from = here, .to = there};
    int rc = tie_and_tell(runtime->remote, peer, &tie, &record);
    pthread_mutex_unlock(&runtime->remote->lock);
    return rc;
}

void
coact__node_farewell(struct coact_runtime *runtime,
                     struct coact__bond_side *side, enum coact__kind kind,
                     const struct coact_reason *reason)
{
    struct coact__bond *bond = side->bond;
    coact_ref there = coact__bond_other(side)->owner;
    struct coact__peer *peer = lock_peer(runtime, there);
    struct coact__tie *tie =
        peer != NULL ? coact__tie_find(peer, COACT__TIE_LINK,
                                       coact__tie_key(side->owner),
                                       coact__tie_key(there))
                     : NULL;
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
        const struct coact__record record = {
            .kind = kind == COACT__KIND_EXIT ? COACT__RECORD_EXIT
                                             : COACT__RECORD_UNLINK,
            .from = side->owner,
            .to = there};
        (void)!coact__node_put_reason(runtime->remote, &record, reason);
        coact__bond_unhold(bond);
    }
    if (peer != NULL) {
        pthread_mutex_unlock(&runtime->remote->lock);
    }
    coact__bond_unhold(bond);
}
