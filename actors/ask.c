/*
 * ask.c - requests, and the replies that find their way back.
 *
 * An actor asks one thing at a time, so the record of the call is part of its
 * slot, and the call's number tells this call from all others that the slot has
 * seen.  A reply does not go through the inbox: whoever answers claims the
 * record, writes the answer, and wakes the caller.  An answer that comes when
 * the number has moved on claims nothing, and is dropped and counted.
 *
 *   word = number * 4 + state
 *   OVER     -> WAITING   the caller, before it sends
 *   WAITING  -> CLAIMED   the first who answers          K1
 *   CLAIMED  -> ANSWERED  the same, when all is written  K2
 *   WAITING  -> OVER      the caller gives up            K3
 *   ANSWERED -> OVER      the caller has read it
 *
 * The duty to answer travels with the request.  A request that is destroyed
 * unanswered answers with a failure, wherever that happens: in the mailbox of
 * an actor that dies, at the end of a receive block, in a full mailbox.  So
 * nobody waits for a dead one until his deadline, and no monitor is needed.
 *
 * Memory orders, by what the pair protects
 *   reply  K2 release -> K4 acquire.  The answer, for the caller.
 *   call   the caller's send is release, through the inbox; K1 is acquire for
 *          the same: it reads no more than the word.
 *   K3 is acq_rel: where it fails, somebody is writing, and K4 follows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/node.h"
#include "actors/switch_check.h"
#include "mailbox/type.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static uint64_t
number_of(uint64_t word)
{
    return word / COACT__CALL_STATES;
}

static uint64_t
word_of(uint64_t number, enum coact__call_state state)
{
    return number * COACT__CALL_STATES + state;
}

/* Which node is to answer which call; 0: it is ours. */
static uint64_t
peer_of(uint64_t number, uint32_t node)
{
    return number << 32 | node;
}

/* ---- Answering ---- */

bool
coact__call_is_over(struct coact_runtime *runtime,
                    const struct coact__request *request)
{
    if (!coact__is_local(runtime, request->caller)) {
        // All that we know is until when he wanted to wait.
        return request->deadline_ns != COACT_FOREVER &&
               coact__oracle_now_ns() >= request->deadline_ns;
    }
    struct coact__actor *caller = coact__slot_of(runtime, request->caller);
    return caller == NULL ||
           atomic_load_explicit(&caller->call.word, memory_order_acquire) !=
               word_of(request->call, COACT__CALL_WAITING);
}

struct coact__actor *
coact__call_claim(struct coact_runtime *runtime,
                  const struct coact__request *request)
{
    struct coact__actor *caller = coact__slot_of(runtime, request->caller);
    uint64_t waiting = word_of(request->call, COACT__CALL_WAITING);
    return caller != NULL &&
                   atomic_compare_exchange_strong_explicit(
                       &caller->call.word, &waiting,
                       word_of(request->call, COACT__CALL_CLAIMED),
                       memory_order_acq_rel, memory_order_relaxed) // K1
               ? caller
               : NULL;
}

void
coact__call_finish(struct coact__actor *caller, struct coact__envelope *reply,
                   int rc, const struct coact_reason *reason)
{
    struct coact__call *call = &caller->call;
    struct coact__extra *extra = caller->extra;
    extra->answer.reply = reply;
    extra->answer.rc = rc;
    if (rc < 0 && reason != NULL) {
        extra->last_reason = *reason;
    }
    // Nobody else writes the word while it is claimed.
    uint64_t claimed = atomic_load_explicit(&call->word, memory_order_relaxed);
    atomic_store_explicit(&call->word,
                          word_of(number_of(claimed), COACT__CALL_ANSWERED),
                          memory_order_release); // K2
    coact__task_wake(&caller->task);
}

static bool
answer_local(struct coact_runtime *runtime,
             const struct coact__request *request,
             struct coact__envelope *reply, int rc,
             const struct coact_reason *reason)
{
    struct coact__actor *caller = coact__call_claim(runtime, request);
    if (caller != NULL) {
        coact__call_finish(caller, reply, rc, reason);
    }
    return caller != NULL;
}

void
coact__call_leaves(struct coact_runtime *runtime,
                   const struct coact__request *request, coact_ref to)
{
    struct coact__actor *caller = coact__is_local(runtime, request->caller)
                                      ? coact__slot_of(runtime, request->caller)
                                      : NULL;
    if (caller == NULL) {
        return;
    }
    // Whoever handed the request on may be late: a call that came after it is
    // not to be touched.  Release pairs with the acquire in lose_call; a
    // session ends after all sends that it took, so the loss finds this.
    uint64_t peer =
        atomic_load_explicit(&caller->call.peer, memory_order_relaxed);
    while ((uint32_t)(peer >> 32) == (uint32_t)request->call &&
           !atomic_compare_exchange_weak_explicit(
               &caller->call.peer, &peer, peer_of(request->call, to.node),
               memory_order_release, memory_order_relaxed)) {
    }
}

/* The node is enough: a call to its next incarnation cannot leave before we are
   through with this one. */
static void
lose_call(struct coact_runtime *runtime, struct coact__actor *actor,
          uint32_t node, const struct coact_reason *reason)
{
    struct coact__call *call = &actor->call;
    uint64_t peer = atomic_load_explicit(&call->peer, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&call->word, memory_order_acquire);
    const struct coact__request request = {
        .caller = {runtime->node, runtime->incarnation, coact__number_of(actor),
                   0},
        .call = number_of(word)};
    if (peer == peer_of(request.call, node) &&
        word % COACT__CALL_STATES == COACT__CALL_WAITING) {
        answer_local(runtime, &request, NULL,
                     reason->code == COACT_NOCONNECTION ? -ENOTCONN
                                                        : -EOWNERDEAD,
                     reason);
    }
}

void
coact__calls_lost(struct coact_runtime *runtime, uint32_t node,
                  const struct coact_reason *reason)
{
    pthread_mutex_lock(&runtime->lock);
    uint32_t slots = runtime->slots;
    pthread_mutex_unlock(&runtime->lock);
    for (uint32_t i = 0; i < slots; i++) {
        struct coact__actor *actor = coact__slot_at(runtime, i);
        if (actor != NULL) { // it is: it was counted
            lose_call(runtime, actor, node, reason);
        }
    }
}

int
coact__call_answer(struct coact_runtime *runtime,
                   struct coact__request *request,
                   struct coact__envelope *reply, int rc,
                   const struct coact_reason *reason)
{
    if (request->call == 0) {
        return -EALREADY;
    }
    bool is_here = coact__is_local(runtime, request->caller);
    int answered =
        !is_here
            ? coact__node_answer(
                  runtime, request, reply != NULL ? reply->type : NULL,
                  reply != NULL ? coact__payload_of(reply) : NULL, rc, reason)
        : answer_local(runtime, request, reply, rc, reason) ? 0
                                                            : -ESRCH;
    request->call = 0;
    if (reply != NULL && answered == -ESRCH) {
        COACT__COUNT_ONE(runtime, replies_late);
    }
    if (reply != NULL && (!is_here || answered < 0)) {
        coact__envelope_drop(runtime, reply, 0, NULL);
    }
    return answered;
}

static int
check_reply(struct coact__actor *actor, struct coact__envelope *envelope,
            size_t bytes)
{
    if (envelope->item.kind != COACT__KIND_REQUEST ||
        envelope->type->reply == NULL) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL, "coact_reply",
                             "%s is not a request that waits for a reply",
                             envelope->type->name);
    }
    if (envelope->type->reply->size != bytes) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL, "coact_reply",
                             "%s is answered by %s, which has another size",
                             envelope->type->name, envelope->type->reply->name);
    }
    return coact__request_of(envelope)->call == 0 ? -EALREADY : 0;
}

int
coact__reply(void *message, void *payload, size_t bytes)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_reply");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__envelope *request = coact__envelope_of(message);
    int rc = check_reply(actor, request, bytes);
    if (rc < 0) {
        if (request->type->reply != NULL) {
            coact__type_destroy(request->type->reply, payload);
        }
        return rc;
    }
    struct coact_type *type = request->type->reply;
    rc = coact__type_owns(type) ? coact__type_check(type, payload) : 0;
    struct coact__envelope *reply =
        rc == 0 ? coact__envelope_new(&coact__runtime_of(actor)->scheduler,
                                      COACT__KIND_MESSAGE, type)
                : NULL;
    if (reply == NULL) {
        coact__type_destroy(type, payload);
        return rc < 0 ? rc : -ENOMEM;
    }
    reply->from = coact__ref_of(actor);
    memcpy(coact__payload_of(reply), payload, type->size);
    return coact__call_answer(coact__runtime_of(actor),
                              coact__request_of(request), reply, 0, NULL);
}

/* ---- Asking ---- */

static struct coact__envelope *
new_request(struct coact__actor *actor, struct coact_type *type,
            uint32_t number, const void *payload, uint64_t call,
            int64_t deadline_ns)
{
    struct coact__envelope *envelope = coact__envelope_new(
        &coact__runtime_of(actor)->scheduler, COACT__KIND_REQUEST, type);
    if (envelope != NULL) {
        envelope->item.number = (uint16_t)number;
        envelope->from = coact__ref_of(actor);
        envelope->item.sender_role = (uint8_t)(actor->task.runnable.role + 1U);
        *coact__request_of(envelope) = (struct coact__request){
            .caller = envelope->from, .call = call, .deadline_ns = deadline_ns};
        memcpy(coact__payload_of(envelope), payload, type->size);
    }
    return envelope;
}

static bool
is_answered(struct coact__call *call)
{
    return atomic_load_explicit(&call->word, memory_order_acquire) %
               COACT__CALL_STATES ==
           COACT__CALL_ANSWERED; // K4
}

/* Stop waiting.  False: an answer came in between, and is there. */
static bool
give_up(struct coact__call *call, uint64_t number)
{
    uint64_t waiting = word_of(number, COACT__CALL_WAITING);
    if (atomic_compare_exchange_strong_explicit(
            &call->word, &waiting, word_of(number + 1, COACT__CALL_OVER),
            memory_order_acq_rel, memory_order_relaxed)) { // K3
        return true;
    }
    while (!is_answered(call)) {
        sched_yield(); // it is being written; a long one is decoded first
    }
    return false;
}

/* 0: answered; else why we stopped. */
static int
await_answer(struct coact__actor *actor, uint64_t number, int64_t deadline_ns)
{
    struct coact__call *call = &actor->call;
    while (!is_answered(call)) {
        int rc = coact__interrupted(actor);
        if (rc == 0 && deadline_ns != COACT_FOREVER &&
            coact__oracle_now_ns() >= deadline_ns) {
            rc = -ETIMEDOUT;
        }
        if (rc < 0 && give_up(call, number)) {
            return rc;
        }
        if (rc < 0) {
            // Answered after all: the next wait is the one to say so.
            if (actor->stage == COACT__STAGE_TOLD) {
                actor->stage = COACT__STAGE_ASKED;
            }
            return 0;
        }
        coact__wait(actor, "ask", COACT__INBOX_DEAF, deadline_ns);
    }
    return 0;
}

static int
take_answer(struct coact__actor *actor, uint64_t number,
            struct coact_type *type, void *out)
{
    struct coact__answer *answer = &actor->extra->answer;
    struct coact__envelope *reply = answer->reply;
    int rc = answer->rc;
    answer->reply = NULL;
    atomic_store_explicit(&actor->call.word,
                          word_of(number + 1, COACT__CALL_OVER),
                          memory_order_relaxed);
    if (reply != NULL) {
        memcpy(out, coact__payload_of(reply), type->size);
        coact__envelope_free(&coact__runtime_of(actor)->scheduler, reply);
    }
    return rc;
}

static int
ask_inside(struct coact__actor *actor, coact_ref to, struct coact_type *type,
           uint32_t number, void *payload, void *out, int64_t deadline_ns)
{
    struct coact__extra *extra = coact__extra_of(actor);
    int rc = coact_ref_equal(to, coact__ref_of(actor)) ? -EDEADLK
             : extra == NULL                           ? -ENOMEM
                                                       : 0;
    if (rc == 0) {
        coact__switch_check(actor, "ask");
        rc = coact__wait_begin_with(actor, type, payload);
    }
    if (rc == 0 && coact__type_owns(type)) {
        rc = coact__type_check(type, payload);
    }
    uint64_t call = number_of(
        atomic_load_explicit(&actor->call.word, memory_order_relaxed));
    call += call == 0;
    struct coact__envelope *request =
        rc == 0 ? new_request(actor, type, number, payload, call, deadline_ns)
                : NULL;
    if (request == NULL) {
        coact__type_destroy(type, payload);
        return rc < 0 ? rc : -ENOMEM;
    }
    extra->last_reason = (struct coact_reason){0};
    extra->answer.type = type->reply;
    atomic_store_explicit(&actor->call.peer, peer_of(call, 0),
                          memory_order_relaxed);
    atomic_store_explicit(&actor->call.word, word_of(call, COACT__CALL_WAITING),
                          memory_order_release);
    // A send that fails has answered the request with its failure.
    (void)coact__dispatch(coact__runtime_of(actor), to, request);
    rc = await_answer(actor, call, deadline_ns);
    return rc < 0 ? rc : take_answer(actor, call, type->reply, out);
}

struct ask_job {
    coact_ref to;
    struct coact_type *type;
    uint32_t number;
    void *payload;
    void *out;
    int64_t deadline_ns;
    int rc;
};

static void
ask_job_run(void *arg)
{
    struct ask_job *job = arg;
    void *payload = job->payload;
    job->payload = NULL;
    job->rc = ask_inside(coact__actor_here(), job->to, job->type, job->number,
                         payload, job->out, job->deadline_ns);
}

int
coact__ask(coact_ref to, struct coact_type *type, uint32_t number,
           void *payload, void *reply, int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_here();
    if (actor != NULL) {
        return ask_inside(actor, to, type, number, payload, reply, deadline_ns);
    }
    struct coact_runtime *runtime = coact__runtime_here();
    // What stands here if the actor ends before it begins.
    struct ask_job job = {to,    type,        number,    payload,
                          reply, deadline_ns, -ECANCELED};
    int rc = runtime != NULL
                 ? coact__run_inside(runtime, ask_job_run, &job)
                 : coact__misuse(NULL, -EPERM, "coact_ask",
                                 "the thread is neither an actor nor attached");
    if (job.payload != NULL) {
        coact__type_destroy(type, payload);
    }
    return rc < 0 ? rc : job.rc;
}

struct coact_reason
coact_last_reason(void)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_last_reason");
    return actor != NULL && actor->extra != NULL ? actor->extra->last_reason
                                                 : (struct coact_reason){0};
}
