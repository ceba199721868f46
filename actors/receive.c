/*
 * receive.c - from the inbox to the body.
 *
 * What arrives is taken from the inbox in bursts, in order, and sorted: signals
 * are acted upon at once, messages go to the end of the actor's own list, where
 * no other thread can see them.  A receive looks only there.  It walks over
 * what it does not want once: when it has to wait, it goes on with what comes
 * after.
 *
 * A message that was received is on the list `held` of its actor until its
 * block ends, so that it is freed also when the block is never left: when the
 * actor ends inside it.  coact_keep moves it to the list `kept`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "mailbox/type.h"
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/oracle.h"

#include <errno.h>

#define NUMBER_OF(member) offsetof(struct coact_accepts_always, member)

/* ---- The actor's own list ---- */

/* Only the actor writes it; the list of actors reads it now and then. */
static void
set_pending(struct coact__actor *actor, uint32_t change)
{
    atomic_store_explicit(
        &actor->pending,
        atomic_load_explicit(&actor->pending, memory_order_relaxed) + change,
        memory_order_relaxed);
}

void
coact__enqueue(struct coact__actor *actor, struct coact__envelope *envelope)
{
    envelope->item.node.next = NULL;
    if (actor->first == NULL) {
        actor->first = envelope;
    } else {
        actor->last->item.node.next = &envelope->item.node;
    }
    actor->last = envelope;
    set_pending(actor, 1);
}

static struct coact__envelope *
next_of(struct coact__envelope *envelope)
{
    return (struct coact__envelope *)(void *)envelope->item.node.next;
}

void
coact__unqueue(struct coact__actor *actor, struct coact__envelope *before,
               struct coact__envelope *envelope)
{
    struct coact__envelope *after = next_of(envelope);
    if (before == NULL) {
        actor->first = after;
    } else {
        before->item.node.next = envelope->item.node.next;
    }
    if (after == NULL) {
        actor->last = before;
    }
    set_pending(actor, (uint32_t)-1);
}

/* ---- From the inbox ---- */

static void
sort(struct coact__actor *actor, struct coact__item *item)
{
    struct coact__envelope *envelope = coact__envelope_of_item(item);
    switch ((enum coact__kind)item->kind) {
    case COACT__KIND_MESSAGE:
    case COACT__KIND_REQUEST:
    case COACT__KIND_EXIT_NEWS:
        coact__enqueue(actor, envelope);
        break;
    case COACT__KIND_TICK:
        if (coact__tick_arrived(envelope)) {
            coact__enqueue(actor, envelope);
        }
        break;
    case COACT__KIND_DOWN:
        if (coact__watch_news_arrived(actor, envelope)) {
            coact__enqueue(actor, envelope);
        }
        break;
    case COACT__KIND_WATCH:
    case COACT__KIND_UNWATCH:
        coact__watch_arrived(actor, item);
        break;
    case COACT__KIND_LINK:
    case COACT__KIND_UNLINK:
    case COACT__KIND_EXIT:
        coact__link_arrived(actor, item);
        break;
    }
}

/* coact_kill was here. */
static void
see_kill(struct coact__actor *actor)
{
    uint64_t word = atomic_load_explicit(&actor->word, memory_order_acquire);
    if ((word & COACT__ACTOR_KILL) != 0 && !actor->is_killed) {
        coact__ask_to_end(actor, COACT_KILLED, "");
        actor->is_killed = true;
    }
}

void
coact__drain_all(struct coact__actor *actor)
{
    see_kill(actor);
    uint32_t generation =
        atomic_load_explicit(&actor->generation, memory_order_relaxed);
    struct coact__inbox_node *node = coact__task_take(&actor->task);
    while (node != NULL) {
        struct coact__item *item = (struct coact__item *)node;
        node = node->next;
        if (COACT__LIKELY(item->generation == generation)) {
            sort(actor, item);
        } else {
            coact__bounce(coact__runtime_of(actor), item,
                          &(const struct coact_reason){.code = COACT_NOPROC});
        }
    }
}

void
coact__bounce(struct coact_runtime *runtime, struct coact__item *item,
              const struct coact_reason *reason)
{
    struct coact__envelope *envelope = coact__envelope_of_item(item);
    switch ((enum coact__kind)item->kind) {
    case COACT__KIND_MESSAGE:
        COACT__COUNT_ONE(runtime, dead_letters);
        coact__envelope_drop(runtime, envelope, -ESRCH, reason);
        break;
    case COACT__KIND_REQUEST:
        COACT__COUNT_ONE(runtime, dead_letters);
        coact__envelope_drop(
            runtime, envelope,
            reason->code == COACT_NOPROC ? -ESRCH : -EOWNERDEAD, reason);
        break;
    case COACT__KIND_DOWN:
    case COACT__KIND_EXIT_NEWS:
    case COACT__KIND_TICK:
        coact__envelope_drop(runtime, envelope, 0, NULL);
        break;
    case COACT__KIND_WATCH:
    case COACT__KIND_UNWATCH:
        coact__watch_bounced(runtime, item, reason);
        break;
    case COACT__KIND_LINK:
    case COACT__KIND_UNLINK:
    case COACT__KIND_EXIT:
        coact__link_bounced(runtime, item, reason);
        break;
    }
}

/* ---- Waiting ---- */

int
coact__interrupted(struct coact__actor *actor)
{
    switch ((enum coact__stage)actor->stage) {
    case COACT__STAGE_ALIVE:
        return 0;
    case COACT__STAGE_ASKED:
        actor->stage = COACT__STAGE_TOLD;
        return -ECANCELED;
    case COACT__STAGE_TOLD:
        coact__finish(actor, 0, ""); // the reason is the one we were asked with
    case COACT__STAGE_ENDING:
        return actor->is_killed ||
                       coact__oracle_now_ns() >= actor->extra->end_deadline_ns
                   ? -ECANCELED
                   : 0;
    case COACT__STAGE_GONE:
        break;
    }
    coact__broken("an actor that is gone runs", __FILE__, __LINE__);
}

int
coact__wait_begin(struct coact__actor *actor)
{
    coact__drain(actor);
    return coact__interrupted(actor);
}

int
coact__wait_begin_with(struct coact__actor *actor, struct coact_type *type,
                       void *payload)
{
    coact__drain(actor);
    if (actor->stage == COACT__STAGE_TOLD) {
        coact__type_destroy(type, payload);
    }
    return coact__interrupted(actor);
}

void
coact__note_wait(struct coact__actor *actor, const char *doing)
{
    // Relaxed: for the list of actors, which is a picture in passing.
    atomic_store_explicit(
        &actor->since_ns,
        atomic_load_explicit(&coact__here()->worker->looked_ns,
                             memory_order_relaxed),
        memory_order_relaxed);
    atomic_store_explicit(&actor->doing, doing, memory_order_relaxed);
}

void
coact__wait(struct coact__actor *actor, const char *doing,
            enum coact__inbox_flag how, int64_t deadline_ns)
{
    if (actor->stage == COACT__STAGE_ENDING &&
        actor->extra->end_deadline_ns < deadline_ns) {
        deadline_ns = actor->extra->end_deadline_ns;
    }
    coact__note_wait(actor, doing);
    coact__task_wait(&actor->task, how, deadline_ns);
    atomic_store_explicit(&actor->doing, NULL, memory_order_relaxed);
    coact__drain(actor);
}

void
coact__give_way(struct coact__actor *actor)
{
    if (actor->stage == COACT__STAGE_ALIVE) {
        coact__note_wait(actor, "spawn");
        coact__task_yield(&actor->task);
        atomic_store_explicit(&actor->doing, NULL, memory_order_relaxed);
    }
}

/* ---- Received messages ---- */

static void
hold(struct coact__envelope **list, struct coact__envelope *envelope)
{
    envelope->item.node.next = *list != NULL ? &(*list)->item.node : NULL;
    envelope->back = NULL;
    if (*list != NULL) {
        (*list)->back = envelope;
    }
    *list = envelope;
}

static void
let_go(struct coact__envelope **list, struct coact__envelope *envelope)
{
    struct coact__envelope *after = next_of(envelope);
    if (envelope->back != NULL) {
        envelope->back->item.node.next = envelope->item.node.next;
    } else {
        *list = after;
    }
    if (after != NULL) {
        after->back = envelope->back;
    }
}

static bool
is_on(struct coact__envelope *list, struct coact__envelope *envelope)
{
    while (list != NULL && list != envelope) {
        list = next_of(list);
    }
    return list != NULL;
}

/* Take a message that we hold or keep off its list; false: it is not ours. */
static bool
withdraw(struct coact__actor *actor, struct coact__envelope *envelope)
{
    struct coact__envelope **list = is_on(actor->held, envelope) ? &actor->held
                                    : is_on(actor->kept, envelope)
                                        ? &actor->kept
                                        : NULL;
    if (list == NULL) {
        return false;
    }
    let_go(list, envelope);
    return true;
}

/* An actor that drops a request ends the call of whoever waits for it. */
static void
drop(struct coact__actor *actor, struct coact__envelope *envelope)
{
    coact__envelope_drop(coact__runtime_of(actor), envelope, -EPIPE, NULL);
}

void *
coact__keep(void *message)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_keep");
    struct coact__envelope *envelope = coact__envelope_of(message);
    if (actor != NULL && is_on(actor->held, envelope)) {
        let_go(&actor->held, envelope);
        hold(&actor->kept, envelope);
    }
    return message;
}

void
coact_release(void *message)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_release");
    if (actor == NULL || message == NULL) {
        return;
    }
    struct coact__envelope *envelope = coact__envelope_of(message);
    if (withdraw(actor, envelope)) {
        drop(actor, envelope);
    } else {
        coact__misuse(coact__runtime_of(actor), -EINVAL, "coact_release",
                      "%p is not a message that this actor holds", message);
    }
}

int
coact__forward(void *message, coact_ref to, uint32_t number)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_forward");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__envelope *envelope = coact__envelope_of(message);
    if (!withdraw(actor, envelope)) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL, "coact_forward",
                             "%p is not a message that this actor holds",
                             message);
    }
    envelope->item.number = (uint16_t)number;
    return coact__dispatch(coact__runtime_of(actor), to, envelope);
}

size_t
coact_pending(void)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_pending");
    if (actor == NULL) {
        return 0;
    }
    coact__drain(actor);
    return atomic_load_explicit(&actor->pending, memory_order_relaxed);
}

coact_ref
coact_sender_of(const void *message)
{
    return coact__envelope_of(message)->from;
}

int64_t
coact_deadline_of(const void *message)
{
    struct coact__envelope *envelope = coact__envelope_of(message);
    return envelope->item.kind == COACT__KIND_REQUEST
               ? coact__request_of(envelope)->deadline_ns
               : COACT_FOREVER;
}

/* ---- Receiving ---- */

static bool
is_wanted(const struct coact__envelope *envelope, const uint32_t *numbers,
          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == envelope->item.number) {
            return true;
        }
    }
    return count == 0;
}

/* A request whose caller has stopped waiting: nobody wants the work. */
static bool
is_stale(struct coact__actor *actor, struct coact__envelope *envelope)
{
    return envelope->item.kind == COACT__KIND_REQUEST &&
           coact__call_is_over(coact__runtime_of(actor),
                               coact__request_of(envelope));
}

static void
leave_queue(struct coact__actor *actor, struct coact__envelope *before,
            struct coact__envelope *envelope)
{
    coact__unqueue(actor, before, envelope);
    struct coact__bound *bound =
        atomic_load_explicit(&actor->bound, memory_order_relaxed);
    if (bound != NULL && envelope->item.kind <= COACT__KIND_REQUEST) {
        coact__bound_give(bound, atomic_load_explicit(&actor->generation,
                                                      memory_order_relaxed));
    }
}

/* Where a receive has got to in the actor's list. */
struct walk {
    struct coact__envelope *before; /* the last one passed over */
    const uint32_t *numbers;
    size_t count;
};

static struct coact__envelope *
walk_on(struct coact__actor *actor, struct walk *walk)
{
    for (;;) {
        struct coact__envelope *at =
            walk->before != NULL ? next_of(walk->before) : actor->first;
        if (at == NULL) {
            return NULL;
        }
        if (!is_wanted(at, walk->numbers, walk->count)) {
            walk->before = at;
            continue;
        }
        leave_queue(actor, walk->before, at);
        if (!is_stale(actor, at)) {
            return at;
        }
        drop(actor, at);
    }
}

static struct coact_receipt
hand_out(struct coact__actor *actor, struct coact__envelope *envelope)
{
    if (envelope->item.kind == COACT__KIND_TICK) {
        coact__tick_taken(envelope);
    } else if (envelope->item.kind == COACT__KIND_DOWN) {
        coact__watch_news_taken(actor, envelope);
    }
    hold(&actor->held, envelope);
    return (struct coact_receipt){.message = coact__payload_of(envelope),
                                  .number = envelope->item.number,
                                  .open = true};
}

bool
coact__take_oldest(struct coact__actor *actor, struct coact_receipt *out)
{
    struct walk walk = {NULL, NULL, 0};
    struct coact__envelope *found = walk_on(actor, &walk);
    if (found != NULL) {
        *out = hand_out(actor, found);
    }
    return found != NULL;
}

static bool
has_passed(int64_t deadline_ns)
{
    return deadline_ns != COACT_FOREVER &&
           (deadline_ns <= COACT_NOW || coact__oracle_now_ns() >= deadline_ns);
}

/* The first that is wanted; NULL, and why in *number, if none came in time. */
static struct coact__envelope *
await(struct coact__actor *actor, struct walk *walk, int64_t deadline_ns,
      uint32_t *number)
{
    int rc = coact__wait_begin(actor);
    while (rc == 0) {
        struct coact__envelope *found = walk_on(actor, walk);
        if (found != NULL) {
            return found;
        }
        if (has_passed(deadline_ns)) {
            *number = NUMBER_OF(coact_timeout);
            return NULL;
        }
        coact__wait(actor, "receive", COACT__INBOX_LISTENING, deadline_ns);
        rc = coact__interrupted(actor);
    }
    *number = NUMBER_OF(coact_cancelled);
    return NULL;
}

struct coact_receipt
coact__receive(int64_t deadline_ns, const uint32_t *numbers, size_t count)
{
    struct coact__actor *actor = coact__actor_or_misuse("COACT_RECEIVE");
    if (actor == NULL) {
        return (struct coact_receipt){.open = false};
    }
    struct walk walk = {NULL, numbers, count};
    uint32_t number = 0;
    struct coact__envelope *found = await(actor, &walk, deadline_ns, &number);
    return found != NULL
               ? hand_out(actor, found)
               : (struct coact_receipt){.number = number, .open = true};
}

static void
say_unhandled(struct coact__actor *actor, struct coact__envelope *envelope)
{
    COACT__COUNT_ONE(coact__runtime_of(actor), unhandled);
    uint32_t held_back;
    if (envelope->item.kind <= COACT__KIND_REQUEST &&
        coact__log_admits(&coact__runtime_of(actor)->unhandled_limit,
                          coact__oracle_now_ns(), &held_back)) {
        coact__log(coact__runtime_of(actor), COACT_LOG_WARNING,
                   "%s received %s and has no case for it (%u more not shown)",
                   coact__label_of(actor), envelope->type->name, held_back);
    }
}

void
coact__receipt_close(struct coact_receipt *receipt)
{
    struct coact__worker *worker = coact__here()->worker;
    struct coact__actor *actor =
        (struct coact__actor *)coact__worker_current(worker);
    struct coact__envelope *envelope = coact__envelope_of(receipt->message);
    if (COACT__UNLIKELY(actor->held != envelope) &&
        !is_on(actor->held, envelope)) {
        return; // kept, released or forwarded
    }
    if (COACT__UNLIKELY(!receipt->taken)) {
        say_unhandled(actor, envelope);
    }
    let_go(&actor->held, envelope);
    if (COACT__LIKELY(envelope->item.kind == COACT__KIND_MESSAGE)) {
        coact__type_destroy(envelope->type, coact__payload_of(envelope));
        coact__blocks_free(&worker->blocks, envelope,
                           envelope->item.size_class);
    } else {
        drop(actor, envelope);
    }
}
