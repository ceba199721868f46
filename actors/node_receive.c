/*
 * node_receive.c - what arrives from other nodes.
 *
 * Runs on the transport's thread.  The transport has made sure that the bytes
 * are from the peer that they claim to be from, whole and in order; what they
 * mean is checked here.  A message must be one that its receiver takes, by the
 * same descriptors that the sender used; one that is not is refused and
 * counted, and the link stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/ending.h"
#include "actors/node_names.h"
#include "actors/node_state.h"
#include "mailbox/codec.h"
#include "mailbox/type.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

struct arrival {
    struct coact__node *node;
    struct coact_runtime *runtime;
    uint32_t number; /* the node that it came from */
    struct coact__record record;
    const uint8_t *tail;
    size_t tail_bytes;
    struct coact__watch *begun_watch; /* made here, to be told to its target */
    struct coact__bond *begun_bond;
};

/* ---- Messages and requests ---- */

/* The answer to a request that cannot even be delivered. */
static void
refuse(struct arrival *arrival, int rc, int code)
{
    COACT__COUNT_ONE(arrival->runtime, refused);
    if (arrival->record.kind == COACT__RECORD_REQUEST) {
        struct coact__request request = {.caller = arrival->record.caller,
                                         .call = arrival->record.call};
        coact__call_answer(arrival->runtime, &request, NULL, rc,
                           &(const struct coact_reason){.code = code});
    }
}

/* The receiver lives, and does not take it. */
static void
show_refusal(struct arrival *arrival, int rc)
{
    const struct coact_runtime_options *options = &arrival->runtime->options;
    if (options->refused != NULL) {
        options->refused(
            options->refused_context,
            &(const struct coact_refusal){.from = arrival->record.from,
                                          .to = arrival->record.to,
                                          .type = arrival->record.type,
                                          .bytes = arrival->tail,
                                          .len = arrival->tail_bytes,
                                          .code = rc});
    }
}

static struct coact_type *
type_taken(const struct coact_mailbox *mailbox, uint64_t id, uint16_t *number)
{
    for (uint32_t i = 0; i < mailbox->type_count; i++) {
        if (coact_type_id(mailbox->types[i]) == id) {
            *number = (uint16_t)(COACT__FIRST_MESSAGE + i);
            return mailbox->types[i];
        }
    }
    return NULL;
}

static int64_t
deadline_from(int64_t left_ns)
{
    return left_ns == COACT_FOREVER || left_ns < 0
               ? COACT_FOREVER
               : coact__oracle_now_ns() + (left_ns < COACT_SECONDS(86400)
                                               ? left_ns
                                               : COACT_SECONDS(86400));
}

/* The message as an envelope; NULL, and why in *rc. */
static struct coact__envelope *
decode(struct arrival *arrival, struct coact_type *type, int *rc)
{
    bool is_request = arrival->record.kind == COACT__RECORD_REQUEST;
    struct coact__envelope *envelope = coact__envelope_new(
        &arrival->runtime->scheduler,
        is_request ? COACT__KIND_REQUEST : COACT__KIND_MESSAGE, type);
    if (envelope == NULL) {
        *rc = -ENOMEM;
        return NULL;
    }
    uint64_t unknown = 0;
    *rc = coact__codec_decode(type, arrival->tail, arrival->tail_bytes,
                              coact__payload_of(envelope), &unknown);
    if (*rc < 0) {
        coact__envelope_free(&arrival->runtime->scheduler, envelope);
        return NULL;
    }
    coact__count_many(arrival->runtime,
                      offsetof(struct coact__counts, unknown_fields), unknown);
    envelope->from = arrival->record.from;
    if (is_request) {
        *coact__request_of(envelope) = (struct coact__request){
            .caller = arrival->record.caller,
            .call = arrival->record.call,
            .deadline_ns = deadline_from(arrival->record.left_ns)};
    }
    return envelope;
}

/* What the receiver takes; NULL if it is gone. */
static const struct coact_mailbox *
mailbox_at(struct coact_runtime *runtime, coact_ref to)
{
    struct coact__actor *actor =
        coact__is_local(runtime, to) ? coact__slot_of(runtime, to) : NULL;
    if (!coact__is_current(actor, to)) {
        return NULL;
    }
    const struct coact_mailbox *mailbox = coact__mailbox_of(actor);
    return coact__is_current(actor, to) ? mailbox : NULL;
}

static void
message_arrived(struct arrival *arrival)
{
    struct coact_runtime *runtime = arrival->runtime;
    const struct coact_mailbox *mailbox =
        arrival->record.to.slot == COACT__NODE_SLOT
            ? coact__node_mailbox()
            : mailbox_at(runtime, arrival->record.to);
    if (mailbox == NULL) {
        COACT__COUNT_ONE(runtime, dead_letters);
        refuse(arrival, -ESRCH, COACT_NOPROC);
        return;
    }
    uint16_t number = 0;
    struct coact_type *type =
        type_taken(mailbox, arrival->record.type, &number);
    int rc = -ECONNREFUSED;
    struct coact__envelope *envelope =
        type != NULL ? decode(arrival, type, &rc) : NULL;
    if (envelope == NULL) {
        show_refusal(arrival, rc);
        refuse(arrival, rc, rc);
        return;
    }
    envelope->item.number = number;
    if (arrival->record.to.slot == COACT__NODE_SLOT) {
        coact__node_question(runtime, envelope);
    } else {
        (void)coact__dispatch(runtime, arrival->record.to, envelope);
    }
}

/* ---- Answers ---- */

static struct coact__envelope *
decode_reply(struct arrival *arrival, struct coact_type *type, int *rc)
{
    if (type == NULL || coact_type_id(type) != arrival->record.type) {
        *rc = -EBADMSG;
        return NULL;
    }
    return decode(arrival, type, rc);
}

/* Of a request that we have handed on: pass it to whoever asked. */
static void
relay_answer(struct arrival *arrival)
{
    struct coact__node *node = arrival->node;
    const struct coact__record *record = &arrival->record;
    struct coact__request request = {.call = 0};
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, arrival->number);
    struct coact__tie *tie =
        peer != NULL ? coact__tie_find(peer, COACT__TIE_RELAY, record->call)
                     : NULL;
    if (tie != NULL) {
        request = tie->relayed;
        coact__tie_remove(peer, tie);
    }
    pthread_mutex_unlock(&node->lock);
    if (tie == NULL) {
        COACT__COUNT_ONE(arrival->runtime, replies_late);
    } else if (record->kind == COACT__RECORD_REPLY) {
        (void)coact__node_put_reply(node, record->from, &request, record->type,
                                    arrival->tail, arrival->tail_bytes);
    } else {
        struct coact_reason reason = {.code = record->code};
        coact__reason_get(&reason, arrival->tail, arrival->tail_bytes);
        (void)coact__node_put_failure(node, record->from, &request,
                                      record->code, &reason);
    }
}

static void
reply_arrived(struct arrival *arrival)
{
    if (arrival->record.to.slot == COACT__NODE_SLOT) {
        relay_answer(arrival);
        return;
    }
    const struct coact__request request = {.caller = arrival->record.to,
                                           .call = arrival->record.call};
    struct coact__actor *caller =
        coact__is_local(arrival->runtime, request.caller)
            ? coact__call_claim(arrival->runtime, &request)
            : NULL;
    if (caller == NULL) {
        COACT__COUNT_ONE(arrival->runtime, replies_late);
        return;
    }
    int rc = 0;
    struct coact_reason reason = {0};
    struct coact__envelope *reply = NULL;
    if (arrival->record.kind == COACT__RECORD_REPLY) {
        reply = decode_reply(arrival, caller->extra->answer.type, &rc);
        reason.code = rc;
    } else {
        rc = arrival->record.code < 0 ? arrival->record.code : -EPROTO;
        coact__reason_get(&reason, arrival->tail, arrival->tail_bytes);
    }
    coact__call_finish(caller, reply, rc, &reason);
}

/* ---- Monitors ---- */

/* Under the lock. */
static void
watch_arrived(struct arrival *arrival, struct coact__peer *peer)
{
    const struct coact__record *record = &arrival->record;
    struct coact__watch *watch =
        coact__watch_from(record->from, record->to, record->type);
    const struct coact__tie tie = {
        .kind = COACT__TIE_WATCHED, .a = record->type, .watch = watch};
    int rc = watch != NULL ? coact__tie_add(peer, &tie) : -ENOMEM;
    arrival->begun_watch = rc == 0 ? watch : NULL;
    if (rc < 0) {
        coact__free(watch);
        const struct coact__record down = {.kind = COACT__RECORD_DOWN,
                                           .from = record->to,
                                           .to = record->from,
                                           .type = record->type};
        (void)!coact__node_put_reason(arrival->node, &down,
                                      &(const struct coact_reason){.code = rc});
    }
}

static void
down_arrived(struct arrival *arrival, struct coact__peer *peer)
{
    struct coact__tie *tie =
        coact__tie_find(peer, COACT__TIE_WATCHING, arrival->record.type);
    struct coact_reason reason = {.code = -EPROTO};
    coact__reason_get(&reason, arrival->tail, arrival->tail_bytes);
    if (tie != NULL) {
        struct coact__watch *watch = tie->watch;
        coact__tie_remove(peer, tie);
        coact__watch_fire(arrival->runtime, watch, &reason);
    }
}

static void
unwatch_arrived(struct arrival *arrival, struct coact__peer *peer)
{
    struct coact__tie *tie =
        coact__tie_find(peer, COACT__TIE_WATCHED, arrival->record.type);
    if (tie != NULL) {
        struct coact__watch *watch = tie->watch;
        coact__tie_remove(peer, tie);
        coact__watch_withdraw(arrival->runtime, watch);
    }
}

/* ---- Links ---- */

static void
link_arrived(struct arrival *arrival, struct coact__peer *peer)
{
    const struct coact__record *record = &arrival->record;
    struct coact__bond *bond =
        coact__bond_from(record->from, record->to, record->type);
    const struct coact__tie tie = {
        .kind = COACT__TIE_LINKED, .a = record->type, .bond = bond};
    int rc = bond != NULL ? coact__tie_add(peer, &tie) : -ENOMEM;
    arrival->begun_bond = rc == 0 ? bond : NULL;
    if (rc < 0) {
        coact__free(bond);
        const struct coact__record exit = {.kind = COACT__RECORD_EXIT,
                                           .from = record->to,
                                           .to = record->from,
                                           .type = record->type};
        (void)!coact__node_put_reason(arrival->node, &exit,
                                      &(const struct coact_reason){.code = rc});
    }
}

static void
farewell_arrived(struct arrival *arrival, struct coact__peer *peer)
{
    const struct coact__record *record = &arrival->record;
    struct coact__tie *tie = coact__tie_find(
        peer, record->code != 0 ? COACT__TIE_LINKED : COACT__TIE_LINK,
        record->type);
    if (tie == NULL) {
        return;
    }
    struct coact_reason reason = {.code = -EPROTO};
    coact__reason_get(&reason, arrival->tail, arrival->tail_bytes);
    struct coact__bond *bond = tie->bond;
    coact__tie_remove(peer, tie);
    bool is_first = coact_ref_equal(bond->side[0].owner, record->from);
    coact__bond_farewell(arrival->runtime, &bond->side[is_first ? 0 : 1],
                         record->kind == COACT__RECORD_EXIT
                             ? COACT__KIND_EXIT
                             : COACT__KIND_UNLINK,
                         &reason);
}

/* ---- All of it ---- */

/* Under the lock. */
static void
tie_changed(struct arrival *arrival, struct coact__peer *peer)
{
    switch (arrival->record.kind) {
    case COACT__RECORD_WATCH:
        watch_arrived(arrival, peer);
        break;
    case COACT__RECORD_UNWATCH:
        unwatch_arrived(arrival, peer);
        break;
    case COACT__RECORD_DOWN:
        down_arrived(arrival, peer);
        break;
    case COACT__RECORD_LINK:
        link_arrived(arrival, peer);
        break;
    default:
        farewell_arrived(arrival, peer);
        break;
    }
}

static void
tie_arrived(struct arrival *arrival)
{
    struct coact__node *node = arrival->node;
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer =
        coact__peer_find(node, arrival->record.from.node);
    if (peer != NULL) {
        tie_changed(arrival, peer);
    }
    pthread_mutex_unlock(&node->lock);
    // Without the lock: a target that is gone answers at once, and takes it.
    if (arrival->begun_watch != NULL) {
        coact__watch_begin(arrival->runtime, arrival->begun_watch);
    }
    if (arrival->begun_bond != NULL) {
        coact__bond_introduce(arrival->runtime, arrival->begun_bond);
    }
}

static void
signal_arrived(struct arrival *arrival)
{
    struct coact_runtime *runtime = arrival->runtime;
    coact_ref to = arrival->record.to;
    struct coact_reason reason = {0};
    if (!coact__is_local(runtime, to) ||
        !coact__reason_get(&reason, arrival->tail, arrival->tail_bytes)) {
        return;
    }
    struct coact__actor *actor = coact__slot_of(runtime, to);
    if (arrival->record.kind == COACT__RECORD_SIGNAL) {
        // No memory for a signal: to be killed is nearest to what was meant.
        if (coact__signal_local(runtime, arrival->record.from, to, &reason) ==
            0) {
            return;
        }
    }
    if (actor != NULL) {
        coact__kill_local(actor, to.generation);
    }
}

bool
coact__node_receive(void *owner, uint32_t number, uint32_t incarnation,
                    const uint8_t *bytes, size_t len)
{
    struct coact__node *node = owner;
    struct arrival arrival = {
        .node = node, .runtime = node->runtime, .number = number};
    if (!coact__record_get(&arrival.record, bytes, len)) {
        COACT__COUNT_ONE(node->runtime, refused); // of a newer kind: skipped
        return true;
    }
    arrival.tail = bytes + COACT__RECORD_HEAD;
    arrival.tail_bytes = len - COACT__RECORD_HEAD;
    switch ((enum coact__record_kind)arrival.record.kind) {
    case COACT__RECORD_MESSAGE:
    case COACT__RECORD_REQUEST:
        message_arrived(&arrival);
        return true;
    case COACT__RECORD_REPLY:
    case COACT__RECORD_FAILURE:
        reply_arrived(&arrival);
        return true;
    case COACT__RECORD_SIGNAL:
    case COACT__RECORD_KILL:
        signal_arrived(&arrival);
        return true;
    case COACT__RECORD_WATCH:
    case COACT__RECORD_UNWATCH:
    case COACT__RECORD_DOWN:
    case COACT__RECORD_LINK:
    case COACT__RECORD_UNLINK:
    case COACT__RECORD_EXIT:
        break;
    case COACT__RECORD_KINDS:
        return true;
    }
    // Ties are with the node that says so, whatever it writes.
    if (arrival.record.from.node == number &&
        arrival.record.from.incarnation == incarnation) {
        tie_arrived(&arrival);
    }
    return true;
}
