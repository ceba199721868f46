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
key_of(coact_ref ref)
{
    return (uint64_t)ref.slot << 32 | ref.generation;
}

static uint64_t
lane_of(coact_ref from, coact_ref to)
{
    // Any mix will do: two pairs that share a lane only wait for each other.
    return (key_of(from) * UINT64_C(0x9e3779b97f4a7c15)) ^ key_of(to);
}

/* sender: whose lane it goes in.  Of a message that is handed on, that is not
   whom it is from. */
static int
put(struct coact__node *node, const struct coact__record *record,
    coact_ref sender, const void *tail, size_t tail_bytes, unsigned flags)
{
    uint8_t head[COACT__RECORD_HEAD];
    coact__record_put(record, head);
    union {
        const void *in;
        void *out;
    } cast = {.in = tail}; // an iovec has no const; the transport only reads
    const struct iovec parts[2] = {{head, sizeof(head)},
                                   {cast.out, tail_bytes}};
    return coact__transport_send(
        node->transport, record->to.node, record->to.incarnation,
        lane_of(sender, record->to), flags, parts, tail_bytes > 0 ? 2 : 1);
}

int
coact__node_put(struct coact__node *node, const struct coact__record *record,
                const void *tail, size_t tail_bytes, unsigned flags)
{
    return put(node, record, record->from, tail, tail_bytes, flags);
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

/* What to do with bytes that are a payload. */
typedef int use(void *context, const void *bytes, size_t len);

static int
encode_large(struct coact_type *type, const void *payload, use *fn,
             void *context)
{
    size_t room = coact__codec_size(type, payload);
    void *bytes = coact__alloc(room > 0 ? room : 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    ptrdiff_t used = coact__codec_encode(type, payload, bytes, room);
    int rc = used < 0 ? (int)used : fn(context, bytes, (size_t)used);
    coact__free(bytes);
    return rc;
}

static int
encode(struct coact_type *type, const void *payload, use *fn, void *context)
{
    uint8_t small[SMALL_BYTES];
    ptrdiff_t used = coact__codec_encode(type, payload, small, sizeof(small));
    if (used == -EOVERFLOW) {
        return encode_large(type, payload, fn, context);
    }
    return used < 0 ? (int)used : fn(context, small, (size_t)used);
}

struct departure {
    struct coact__node *node;
    struct coact__record record;
};

static int
put_message(void *context, const void *bytes, size_t len)
{
    struct departure *departure = context;
    return put(departure->node, &departure->record, coact_self(), bytes, len,
               0);
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

/* Lock the node and find the peer that has this incarnation; NULL: unlocked. */
static struct coact__peer *
lock_peer(struct coact_runtime *runtime, coact_ref there)
{
    struct coact__node *node = coact__node_of(runtime);
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

/* A caller elsewhere gets the answer by us. */
static int
add_relay(struct departure *departure, const struct coact__request *request)
{
    struct coact_runtime *runtime = departure->node->runtime;
    struct coact__peer *peer = lock_peer(runtime, departure->record.to);
    if (peer == NULL) {
        return -ENOTCONN;
    }
    const struct coact__tie tie = {
        .kind = COACT__TIE_RELAY,
        .a = atomic_fetch_add_explicit(&runtime->next_id, 1,
                                       memory_order_relaxed),
        .relayed = *request};
    int rc = coact__tie_add(peer, &tie);
    pthread_mutex_unlock(&departure->node->lock);
    departure->record.caller =
        (coact_ref){runtime->node, runtime->incarnation, COACT__NODE_SLOT, 0};
    departure->record.call = tie.a;
    return rc;
}

/* The request could not be sent after all.  0: its caller knows already, since
   the link has gone down. */
static int
remove_relay(struct departure *departure, int rc)
{
    struct coact__peer *peer =
        lock_peer(departure->node->runtime, departure->record.to);
    if (peer == NULL) {
        return 0;
    }
    struct coact__tie *tie =
        coact__tie_find(peer, COACT__TIE_RELAY, departure->record.call);
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
    }
    pthread_mutex_unlock(&departure->node->lock);
    return tie != NULL ? rc : 0;
}

static int
put_request(struct departure *departure, struct coact__envelope *envelope)
{
    struct coact_runtime *runtime = departure->node->runtime;
    const struct coact__request *request = coact__request_of(envelope);
    bool is_relayed = !coact__is_local(runtime, request->caller);
    departure->record.kind = COACT__RECORD_REQUEST;
    departure->record.caller = request->caller;
    departure->record.call = request->call;
    departure->record.left_ns = left_of(request->deadline_ns);
    if (!is_relayed) {
        coact__call_leaves(runtime, request, departure->record.to);
    }
    int rc = is_relayed ? add_relay(departure, request) : 0;
    if (rc < 0) {
        return rc;
    }
    rc = encode(envelope->type, coact__payload_of(envelope), put_message,
                departure);
    return rc < 0 && is_relayed ? remove_relay(departure, rc) : rc;
}

/* The envelope stays the caller's. */
static int
put_envelope(struct coact_runtime *runtime, coact_ref to,
             struct coact__envelope *envelope)
{
    if (coact__node_of(runtime) == NULL) {
        return -ENOTCONN;
    }
    struct departure departure = {coact__node_of(runtime),
                                  {.kind = COACT__RECORD_MESSAGE,
                                   .from = envelope->from,
                                   .to = to,
                                   .type = coact_type_id(envelope->type)}};
    // A request that was answered before it is handed on is only a message.
    if (envelope->item.kind == COACT__KIND_REQUEST &&
        coact__request_of(envelope)->call != 0) {
        return put_request(&departure, envelope);
    }
    return encode(envelope->type, coact__payload_of(envelope), put_message,
                  &departure);
}

/* It is on its way, with the duty to answer; or it is destroyed. */
static int
finish_dispatch(struct coact_runtime *runtime, struct coact__envelope *envelope,
                int rc)
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
                          struct coact__envelope *envelope, int64_t deadline_ns)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    struct coact__node_waiter waiter = {.task = &actor->task};
    int rc = put_envelope(runtime, to, envelope);
    while (rc == -EAGAIN) {
        coact__node_enlist(coact__node_of(runtime), &waiter);
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
        coact__node_delist(coact__node_of(runtime), &waiter);
    }
    return finish_dispatch(runtime, envelope, rc);
}

/* ---- Answers ---- */

int
coact__node_put_failure(struct coact__node *node, coact_ref from,
                        const struct coact__request *request, int rc,
                        const struct coact_reason *reason)
{
    const struct coact__record record = {.kind = COACT__RECORD_FAILURE,
                                         .from = from,
                                         .to = request->caller,
                                         .call = request->call,
                                         .code = rc};
    const struct coact_reason none = {.code = rc};
    return coact__node_put_reason(node, &record,
                                  reason != NULL ? reason : &none);
}

int
coact__node_put_reply(struct coact__node *node, coact_ref from,
                      const struct coact__request *request, uint64_t type,
                      const void *payload, size_t payload_bytes)
{
    const struct coact__record record = {.kind = COACT__RECORD_REPLY,
                                         .from = from,
                                         .to = request->caller,
                                         .call = request->call,
                                         .type = type};
    bool is_short =
        payload_bytes <= COACT__URGENT_BYTES_MAX - COACT__RECORD_HEAD;
    int rc = coact__node_put(node, &record, payload, payload_bytes,
                             is_short ? COACT__SEND_URGENT : 0);
    if (rc < 0 && rc != -ENOTCONN) {
        (void)coact__node_put_failure(node, from, request, rc, NULL);
    }
    return rc;
}

struct reply {
    struct coact__node *node;
    const struct coact__request *request;
    uint64_t type;
    bool was_encoded;
};

static int
put_reply(void *context, const void *bytes, size_t len)
{
    struct reply *reply = context;
    reply->was_encoded = true;
    return coact__node_put_reply(reply->node, coact_self(), reply->request,
                                 reply->type, bytes, len);
}

int
coact__node_answer(struct coact_runtime *runtime,
                   const struct coact__request *request,
                   struct coact_type *type, const void *payload, int rc,
                   const struct coact_reason *reason)
{
    struct coact__node *node = coact__node_of(runtime);
    if (node == NULL) {
        return -ENOTCONN;
    }
    if (type == NULL) {
        return coact__node_put_failure(node, coact_self(), request, rc, reason);
    }
    struct reply reply = {node, request, coact_type_id(type), false};
    rc = encode(type, payload, put_reply, &reply);
    if (rc < 0 && !reply.was_encoded) {
        // The caller is not left waiting for what cannot be encoded.
        (void)coact__node_put_failure(node, coact_self(), request, rc, NULL);
    }
    return rc;
}

/* ---- Signals ---- */

int
coact__node_signal(struct coact_runtime *runtime, coact_ref from, coact_ref to,
                   const struct coact_reason *reason, bool is_kill)
{
    if (coact__node_of(runtime) == NULL) {
        return -ENOTCONN;
    }
    const struct coact__record record = {.kind = is_kill ? COACT__RECORD_KILL
                                                         : COACT__RECORD_SIGNAL,
                                         .from = from,
                                         .to = to};
    return coact__node_put_reason(coact__node_of(runtime), &record, reason);
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
            coact__tie_remove(peer, coact__tie_find(peer, tie->kind, tie->a));
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
    int rc = tie_and_tell(coact__node_of(runtime), peer, &tie, &record);
    pthread_mutex_unlock(&runtime->remote->lock);
    return rc;
}

void
coact__node_unwatch(struct coact_runtime *runtime, struct coact__watch *watch)
{
    struct coact__peer *peer = lock_peer(runtime, watch->target);
    uint64_t id = watch->news.down.monitor.id;
    struct coact__tie *tie =
        peer != NULL ? coact__tie_find(peer, COACT__TIE_WATCHING, id) : NULL;
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
        const struct coact__record record = {.kind = COACT__RECORD_UNWATCH,
                                             .from = watch->watcher,
                                             .to = watch->target,
                                             .type = id};
        // If it cannot be sent the link is down, and there is no monitor.
        (void)!coact__node_put(coact__node_of(runtime), &record, NULL, 0,
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
        peer != NULL ? coact__tie_find(peer, COACT__TIE_WATCHED, id) : NULL;
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
        const struct coact__record record = {.kind = COACT__RECORD_DOWN,
                                             .from = watch->target,
                                             .to = watch->watcher,
                                             .type = id};
        (void)!coact__node_put_reason(coact__node_of(runtime), &record, reason);
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
    const struct coact__tie tie = {
        .kind = COACT__TIE_LINK, .a = bond->id, .bond = bond};
    const struct coact__record record = {.kind = COACT__RECORD_LINK,
                                         .from = here,
                                         .to = there,
                                         .type = bond->id};
    int rc = tie_and_tell(coact__node_of(runtime), peer, &tie, &record);
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
    bool is_ours = coact__is_local(runtime, bond->side[0].owner);
    struct coact__tie *tie =
        peer != NULL
            ? coact__tie_find(
                  peer, is_ours ? COACT__TIE_LINK : COACT__TIE_LINKED, bond->id)
            : NULL;
    if (tie != NULL) {
        coact__tie_remove(peer, tie);
        const struct coact__record record = {.kind = kind == COACT__KIND_EXIT
                                                         ? COACT__RECORD_EXIT
                                                         : COACT__RECORD_UNLINK,
                                             .from = side->owner,
                                             .to = there,
                                             .type = bond->id,
                                             .code = is_ours};
        (void)!coact__node_put_reason(coact__node_of(runtime), &record, reason);
        coact__bond_unhold(bond);
    }
    if (peer != NULL) {
        pthread_mutex_unlock(&runtime->remote->lock);
    }
    coact__bond_unhold(bond);
}
