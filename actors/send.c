/*
 * send.c - how a message gets to an actor, or becomes a dead letter.
 *
 * Whatever happens, the payload is ours from the call on: it is in a mailbox,
 * on its way to another node, or destroyed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/node.h"
#include "actors/switch_check.h"
#include "mailbox/type.h"
#include "runtime/here.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

/* A task that listens is claimed and given the item; so neither side has to go
   by the list in its inbox. */
static inline bool
claim_and_give(struct coact__actor *actor, struct coact__item *item)
{
    struct coact__task *task = &actor->task;
    if (coact__inbox_claim(&task->inbox)) {
        item->node.next = NULL;
        task->given = &item->node;
        return true;
    }
    return false;
}

bool
coact__deliver(struct coact_runtime *runtime, coact_ref to,
               struct coact__item *item, enum coact__how how)
{
    struct coact__actor *actor = coact__slot_of(runtime, to);
    if (!coact__is_current(actor, to)) {
        return false;
    }
    item->generation = to.generation;
    if (claim_and_give(actor, item)) {
        coact__task_ready(&actor->task);
        return true;
    }
    struct coact__inbox *inbox = &actor->task.inbox;
    switch (how == COACT__AS_MESSAGE
                ? coact__inbox_push(inbox, &item->node)
                : coact__inbox_signal(inbox, &item->node)) {
    case COACT__INBOX_WOKEN:
        coact__task_ready(&actor->task);
        return true;
    case COACT__INBOX_PUSHED:
        return true;
    case COACT__INBOX_REFUSED:
        break;
    }
    return false;
}

void
coact__envelope_drop(struct coact_runtime *runtime,
                     struct coact__envelope *envelope, int rc,
                     const struct coact_reason *reason)
{
    switch ((enum coact__kind)envelope->item.kind) {
    case COACT__KIND_REQUEST:
        coact__call_answer(runtime, coact__request_of(envelope), NULL, rc,
                           reason);
        coact__type_destroy(envelope->type, coact__payload_of(envelope));
        coact__envelope_free(&runtime->scheduler, envelope);
        break;
    case COACT__KIND_MESSAGE:
        coact__type_destroy(envelope->type, coact__payload_of(envelope));
        coact__envelope_free(&runtime->scheduler, envelope);
        break;
    case COACT__KIND_DOWN:
        coact__watch_news_free(envelope);
        break;
    case COACT__KIND_EXIT:
    case COACT__KIND_EXIT_NEWS:
        coact__exit_news_free(runtime, envelope);
        break;
    case COACT__KIND_TICK:
        coact__tick_free(envelope);
        break;
    case COACT__KIND_WATCH:
    case COACT__KIND_UNWATCH:
    case COACT__KIND_LINK:
    case COACT__KIND_UNLINK:
        break; // no envelopes
    }
}

void
coact__dead_letter(struct coact_runtime *runtime,
                   struct coact__envelope *envelope, coact_ref whom)
{
    COACT__COUNT_ONE(runtime, dead_letters);
    uint32_t held_back;
    if (coact__log_admits(&runtime->dead_letter_limit, coact__oracle_now_ns(),
                          &held_back)) {
        coact__log(runtime, COACT_LOG_INFO,
                   "dead letter: %s for actor %u.%u of node %u, which is gone "
                   "(%u more not shown)",
                   envelope->type->name, whom.slot, whom.generation, whom.node,
                   held_back);
    }
    coact__envelope_drop(runtime, envelope, -ESRCH,
                         &(const struct coact_reason){.code = COACT_NOPROC});
}

/* Deliver to a local actor a message for which there is room. */
static int
deliver_or_bury(struct coact_runtime *runtime, coact_ref to,
                struct coact__envelope *envelope)
{
    if (!coact__deliver(runtime, to, &envelope->item, COACT__AS_MESSAGE)) {
        coact__dead_letter(runtime, envelope, to);
        return -ESRCH;
    }
    return 0;
}

static int
dispatch_local(struct coact_runtime *runtime, coact_ref to,
               struct coact__envelope *envelope)
{
    struct coact__actor *actor = coact__slot_of(runtime, to);
    struct coact__bound *bound =
        coact__is_current(actor, to) ? coact__bound_of(actor) : NULL;
    if (bound != NULL && !coact__bound_take(bound, to.generation)) {
        COACT__COUNT_ONE(runtime, refused);
        coact__envelope_drop(runtime, envelope, -ENOBUFS, NULL);
        return -ENOBUFS;
    }
    return deliver_or_bury(runtime, to, envelope);
}

int
coact__dispatch(struct coact_runtime *runtime, coact_ref to,
                struct coact__envelope *envelope)
{
    COACT__COUNT_ONE(runtime, sent);
    if (coact__is_local(runtime, to)) {
        return dispatch_local(runtime, to, envelope);
    }
    return coact__node_dispatch(runtime, to, envelope);
}

/* The runtime of the caller; NULL after the payload was destroyed, as when the
   send itself failed. */
static struct coact_runtime *
sender_or_misuse(struct coact_type *type, void *payload, const char *call)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        coact__type_destroy(type, payload);
        coact__misuse(NULL, -EPERM, call,
                      "the thread is neither an actor nor attached");
    }
    return runtime;
}

/* An envelope with the payload in it, which is ours then; or the payload is
   destroyed, and *rc tells why. */
static struct coact__envelope *
envelope_with(struct coact_runtime *runtime, struct coact_type *type,
              uint32_t number, void *payload, int *rc)
{
    *rc = coact__type_owns(type) ? coact__type_check(type, payload) : 0;
    struct coact__envelope *envelope =
        *rc == 0 ? coact__envelope_new(&runtime->scheduler, COACT__KIND_MESSAGE,
                                       type)
                 : NULL;
    if (envelope == NULL) {
        *rc = *rc == 0 ? -ENOMEM : *rc;
        coact__type_destroy(type, payload);
        return NULL;
    }
    envelope->item.number = (uint16_t)number;
    const struct coact__actor *self = coact__actor_here();
    envelope->from = coact_self();
    envelope->item.sender_role =
        self != NULL ? (uint8_t)(self->task.runnable.role + 1U) : 0;
    memcpy(coact__payload_of(envelope), payload, type->size);
    return envelope;
}

static inline void
copy_payload(void *to, const void *from, size_t bytes)
{
    if (COACT__LIKELY(bytes == sizeof(uint64_t))) {
        memcpy(to, from, sizeof(uint64_t)); // most are so small; no call
    } else {
        memcpy(to, from, bytes);
    }
}

/* The two halves of an address as one number each: what is compared and copied
   most often. */
static inline uint64_t
where_of(coact_ref ref)
{
    return (uint64_t)ref.incarnation << 32 | ref.node;
}

/* The receiver does not listen: into its inbox, or it has just gone. */
static __attribute__((noinline)) int
push_instead(struct coact__worker *worker, struct coact__actor *actor,
             struct coact__envelope *envelope)
{
    switch (coact__inbox_push(&actor->task.inbox, &envelope->item.node)) {
    case COACT__INBOX_WOKEN:
        coact__ready_put_next(&worker->ready, &actor->task.runnable);
        return 0;
    case COACT__INBOX_PUSHED:
        return 0;
    case COACT__INBOX_REFUSED:
        break;
    }
    struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    const coact_ref to = {runtime->node, runtime->incarnation,
                          coact__number_of(actor), envelope->item.generation};
    coact__dead_letter(runtime, envelope, to);
    return -ESRCH;
}

static __attribute__((noinline)) int
send_slowly(coact_ref to, struct coact_type *type, uint32_t number,
            void *payload)
{
    struct coact_runtime *runtime =
        sender_or_misuse(type, payload, "coact_send");
    if (runtime == NULL) {
        return -EPERM;
    }
    int rc;
    struct coact__envelope *envelope =
        envelope_with(runtime, type, number, payload, &rc);
    return envelope != NULL ? coact__dispatch(runtime, to, envelope) : rc;
}

/* Nothing of that size is to hand. */
static __attribute__((noinline)) int
// NOLINTNEXTLINE(misc-no-recursion): once; behind a refill there is a block
send_with_more_blocks(struct coact__worker *worker, coact_ref to,
                      struct coact_type *type, uint32_t number, void *payload)
{
    uint8_t size_class =
        (uint8_t)(coact__type_facts(type) >> COACT__TYPE_CLASS_SHIFT);
    return size_class != COACT__BLOCK_LARGE &&
                   coact__blocks_refill(&worker->blocks, size_class)
               ? coact__send(to, type, number, payload)
               : send_slowly(to, type, number, payload);
}

/* It is about to run: what its stack and its slot hold next takes as long to come
   from memory as we take to get there. */
static inline void
fetch_ahead(const struct coact__actor *actor)
{
    const char *stack = actor->task.context.fcontext;
    __builtin_prefetch(stack, 1);
    __builtin_prefetch(stack + 64, 1);
    __builtin_prefetch(stack + 128, 1);
    __builtin_prefetch(stack + 192, 1);
    __builtin_prefetch(&actor->doing, 1);
}

/* Where it is, if that is an address of this runtime.  Not by coact__slot_at: the
   worker's own pointer saves a dependent load. */
static inline struct coact__actor *
place_of(const struct coact__worker *worker, coact_ref to)
{
    return &((struct coact__actor *)worker->table)[to.slot];
}

/* Does a message go the way of most: from an actor to one of the same runtime
   that is there, and nothing in it is owned? */
static inline bool
is_short_way(const struct coact__worker *worker,
             const struct coact__actor *actor, coact_ref to, uint32_t facts)
{
    const struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    // Who has a slot has a generation, so this is never true of one that was not
    // given out yet.
    return coact__worker_current(worker) != NULL &&
           where_of(to) == runtime->where &&
           (facts & COACT__TYPE_FLAGS) == COACT__TYPE_KNOWN &&
           to.slot < atomic_load_explicit(&runtime->slots_end,
                                          memory_order_acquire) &&
           atomic_load_explicit(&actor->task.whose, memory_order_acquire) ==
               coact__whose(to.slot, to.generation);
}

static inline void
write_envelope(const struct coact__worker *worker, coact_ref to,
               struct coact__envelope *envelope, uint32_t number,
               const void *payload, size_t bytes)
{
    const struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    const struct coact__task *self = coact__worker_current(worker);
    envelope->item.number = (uint16_t)number;
    envelope->item.generation = to.generation;
    envelope->item.sender_role = (uint8_t)(self->runnable.role + 1U);
    uint64_t whose = atomic_load_explicit(&self->whose, memory_order_relaxed);
    memcpy(&envelope->from.node, &runtime->where, sizeof(runtime->where));
    memcpy(&envelope->from.slot, &whose, sizeof(whose));
    copy_payload(coact__payload_of(envelope), payload, bytes);
}

/* There is room for it, and it is ours. */
static inline int
hand_over(struct coact__worker *worker, struct coact__actor *actor,
          struct coact__envelope *envelope)
{
    coact__worker_count(&worker->sends, 1);
    if (!claim_and_give(actor, &envelope->item)) {
        return coact__inbox_push_quickly(&actor->task.inbox,
                                         &envelope->item.node)
                   ? 0
                   : push_instead(worker, actor, envelope);
    }
    fetch_ahead(actor);
    coact__ready_put_next(&worker->ready, &actor->task.runnable);
    return 0;
}

/* What is rare is left to other functions, last of all, so that nothing has to be
   kept for them. */
int
// NOLINTNEXTLINE(misc-no-recursion): see above
coact__send(coact_ref to, struct coact_type *type, uint32_t number,
            void *payload)
{
    struct coact__worker *worker = coact__worker_here();
    uint32_t facts = coact__type_facts(type);
    if (COACT__UNLIKELY(worker == NULL)) {
        return send_slowly(to, type, number, payload);
    }
    struct coact__actor *actor = place_of(worker, to);
    if (COACT__UNLIKELY(!is_short_way(worker, actor, to, facts) ||
                        coact__is_bounded(actor))) {
        return send_slowly(to, type, number, payload);
    }
    struct coact__envelope *envelope = coact__envelope_new_on(
        worker, type, (uint8_t)(facts >> COACT__TYPE_CLASS_SHIFT));
    if (COACT__UNLIKELY(envelope == NULL)) {
        return send_with_more_blocks(worker, to, type, number, payload);
    }
    write_envelope(worker, to, envelope, number, payload, type->size);
    return hand_over(worker, actor, envelope);
}

/* ---- Waiting for room ---- */

/* The bound of a local receiver, or NULL where there is none to wait for. */
static struct coact__bound *
bound_at(struct coact_runtime *runtime, coact_ref to)
{
    struct coact__actor *actor =
        coact__is_local(runtime, to) ? coact__slot_of(runtime, to) : NULL;
    return coact__is_current(actor, to) ? coact__bound_of(actor) : NULL;
}

/* 0: a place is reserved. */
static int
wait_for_room(struct coact__actor *actor, struct coact__bound *bound,
              uint32_t generation, int64_t deadline_ns)
{
    struct coact__bound_waiter waiter = {.task = &actor->task};
    if (!coact__bound_enter(bound, &waiter)) {
        return -ENOBUFS;
    }
    int rc = 0;
    while (rc == 0 && !coact__bound_take(bound, generation)) {
        if (deadline_ns != COACT_FOREVER &&
            coact__oracle_now_ns() >= deadline_ns) {
            rc = -ETIMEDOUT;
            break;
        }
        if (!atomic_load_explicit(&waiter.is_listed, memory_order_relaxed)) {
            // We were called, but another was faster: to the end of the queue.
            coact__bound_enter(bound, &waiter);
            continue;
        }
        coact__wait(actor, "send", COACT__INBOX_DEAF, deadline_ns);
        rc = coact__interrupted(actor);
    }
    coact__bound_leave(bound, &waiter, rc == 0);
    return rc;
}

static int
send_wait_inside(struct coact__actor *actor, coact_ref to, int64_t deadline_ns,
                 struct coact_type *type, uint32_t number, void *payload)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    coact__switch_check(actor, "send");
    int rc = coact__wait_begin_with(actor, type, payload);
    struct coact__bound *bound = bound_at(runtime, to);
    if (rc == 0 && bound != NULL && !coact__bound_take(bound, to.generation)) {
        rc = wait_for_room(actor, bound, to.generation, deadline_ns);
    }
    if (rc < 0) {
        if (rc == -ENOBUFS) {
            COACT__COUNT_ONE(runtime, refused);
        }
        coact__type_destroy(type, payload);
        return rc;
    }
    struct coact__envelope *envelope =
        envelope_with(runtime, type, number, payload, &rc);
    if (envelope == NULL) {
        if (bound != NULL) {
            coact__bound_give(bound, to.generation, 1);
        }
        return rc;
    }
    if (!coact__is_local(runtime, to)) {
        COACT__COUNT_ONE(runtime, sent);
        return coact__node_dispatch_wait(actor, to, envelope, deadline_ns);
    }
    if (bound == NULL) {
        return coact__dispatch(runtime, to, envelope);
    }
    COACT__COUNT_ONE(runtime, sent);
    return deliver_or_bury(runtime, to, envelope);
}

struct send_job {
    coact_ref to;
    int64_t deadline_ns;
    struct coact_type *type;
    uint32_t number;
    void *payload;
    int rc;
};

static void
send_job_run(void *arg)
{
    struct send_job *job = arg;
    void *payload = job->payload;
    job->payload = NULL;
    job->rc = send_wait_inside(coact__actor_here(), job->to, job->deadline_ns,
                               job->type, job->number, payload);
}

static __attribute__((noinline)) int
send_wait_slowly(coact_ref to, int64_t deadline_ns, struct coact_type *type,
                 uint32_t number, void *payload)
{
    struct coact_runtime *runtime =
        sender_or_misuse(type, payload, "coact_send_wait");
    if (runtime == NULL) {
        return -EPERM;
    }
    struct coact__actor *actor = coact__actor_here();
    if (actor != NULL) {
        return send_wait_inside(actor, to, deadline_ns, type, number, payload);
    }
    // What stands here if the actor ends before it begins.
    struct send_job job = {to, deadline_ns, type, number, payload, -ECANCELED};
    int rc = coact__run_inside(runtime, send_job_run, &job);
    if (job.payload != NULL) {
        coact__type_destroy(type, payload);
    }
    return rc < 0 ? rc : job.rc;
}

int
coact__send_wait(coact_ref to, int64_t deadline_ns, struct coact_type *type,
                 uint32_t number, void *payload)
{
    struct coact__worker *worker = coact__worker_here();
    uint32_t facts = coact__type_facts(type);
    if (COACT__UNLIKELY(worker == NULL)) {
        return send_wait_slowly(to, deadline_ns, type, number, payload);
    }
    struct coact__actor *actor = place_of(worker, to);
    if (COACT__UNLIKELY(
            !is_short_way(worker, actor, to, facts) ||
            !coact__is_undisturbed(
                (struct coact__actor *)coact__worker_current(worker)))) {
        return send_wait_slowly(to, deadline_ns, type, number, payload);
    }
    struct coact__envelope *envelope = coact__envelope_new_on(
        worker, type, (uint8_t)(facts >> COACT__TYPE_CLASS_SHIFT));
    if (COACT__UNLIKELY(envelope == NULL)) {
        return send_wait_slowly(to, deadline_ns, type, number, payload);
    }
    if (coact__is_bounded(actor) &&
        COACT__UNLIKELY(
            !coact__bound_take(coact__bound_of(actor), to.generation))) {
        coact__blocks_free(&worker->blocks, envelope,
                           envelope->item.size_class);
        return send_wait_slowly(to, deadline_ns, type, number, payload);
    }
    write_envelope(worker, to, envelope, number, payload, type->size);
    return hand_over(worker, actor, envelope);
}
