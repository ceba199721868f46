/*
 * receive.c - from the actor's list to the body.
 *
 * A receive looks only at the actor's own list (arrivals.c).  It walks over what
 * it does not want once: when it has to wait, it goes on with what comes after.
 *
 * A message that was received is on the list `held` of its actor until its
 * block ends, so that it is freed also when the block is never left: when the
 * actor ends inside it.  coact_keep moves it to the list `kept`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/fair.h"
#include "actors/life.h"
#include "actors/limit_internal.h"
#include "actors/role_internal.h"
#include "actors/switch_check.h"
#include "mailbox/type.h"
#include "runtime/here.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

#define NUMBER_OF(member) offsetof(struct coact_accepts_always, member)

/* ---- Received messages ---- */

/* `back` of the first means nothing. */
static inline void
hold(struct coact__envelope **list, struct coact__envelope *envelope)
{
    struct coact__envelope *first = *list;
    envelope->item.node.next = (void *)first; // whose first member that is
    if (COACT__UNLIKELY(first != NULL)) {
        first->back = envelope;
    }
    *list = envelope;
}

static void
let_go(struct coact__envelope **list, struct coact__envelope *envelope)
{
    struct coact__envelope *after = coact__envelope_next(envelope);
    if (*list == envelope) {
        *list = after;
    } else {
        envelope->back->item.node.next = envelope->item.node.next;
    }
    if (after != NULL) {
        after->back = envelope->back;
    }
}

static bool
is_on(struct coact__envelope *list, struct coact__envelope *envelope)
{
    while (list != NULL && list != envelope) {
        list = coact__envelope_next(list);
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
    envelope->item.sender_role = (uint8_t)(actor->task.runnable.role + 1U);
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

void
coact__give_places(struct coact__actor *actor)
{
    if (actor->owed > 0) {
        coact__bound_give(coact__bound_of(actor), coact__generation_of(actor),
                          actor->owed);
        actor->owed = 0;
    }
}

/* A message has left our queue: its place is free, some time soon. */
static inline void
owe_place(struct coact__actor *actor)
{
    if (COACT__LIKELY(actor->gives_after == 0)) {
        return;
    }
    if (++actor->owed >= actor->gives_after || actor->first == NULL ||
        coact__bound_has_waiters(coact__bound_of(actor))) {
        coact__give_places(actor);
    }
}

static void
leave_queue(struct coact__actor *actor, struct coact__envelope *before,
            struct coact__envelope *envelope)
{
    coact__unqueue(actor, before, envelope);
    if (envelope->item.kind <= COACT__KIND_REQUEST) {
        owe_place(actor);
    }
}

/* Where a receive has got to in the actor's list. */
struct walk {
    struct coact__envelope *before; /* the last one passed over */
    const uint32_t *numbers;
    size_t count;
    bool has_slept; /* in a fair actor */
};

/* The same in a fair list.  When we have slept, what was there before is not
   wanted: it is looked at again only if something wanted has come. */
static struct coact__envelope *
walk_fairly(struct coact__actor *actor, const struct walk *walk)
{
    if (walk->has_slept && !coact__fair_has_come(actor)) {
        return NULL;
    }
    struct coact__fair_place place;
    while (coact__fair_find(actor, walk->numbers, walk->count, &place)) {
        coact__fair_take(actor, &place);
        if (place.at->item.kind <= COACT__KIND_REQUEST) {
            owe_place(actor);
        }
        if (!is_stale(actor, place.at)) {
            return place.at;
        }
        drop(actor, place.at);
    }
    return NULL;
}

static struct coact__envelope *
walk_on(struct coact__actor *actor, struct walk *walk)
{
    if (coact__is_fair(actor)) {
        return walk_fairly(actor, walk);
    }
    for (;;) {
        struct coact__envelope *at = walk->before != NULL
                                         ? coact__envelope_next(walk->before)
                                         : actor->first;
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

static inline struct coact_received
received(struct coact__actor *actor, struct coact__envelope *message)
{
    hold(&actor->held, message);
    return (struct coact_received){coact__payload_of(message),
                                   message->item.number};
}

static struct coact_received
hand_out(struct coact__actor *actor, struct coact__envelope *envelope)
{
    if (envelope->item.kind == COACT__KIND_TICK) {
        coact__tick_taken(envelope);
    } else if (envelope->item.kind == COACT__KIND_DOWN) {
        coact__watch_news_taken(actor, envelope);
    }
    return received(actor, envelope);
}

/* The same in the role that is meant; what is held is safe while we wait. */
static struct coact_received
hand_out_lent(struct coact__actor *actor, struct coact__envelope *envelope)
{
    uint8_t role = coact__role_for(actor, envelope);
    struct coact_received got = hand_out(actor, envelope);
    coact__role_take(actor, role);
    return got;
}

static struct coact_received
hand_out_any(struct coact__actor *actor, struct coact__envelope *envelope)
{
    return (actor->traits & COACT__LENDS) != 0 ? hand_out_lent(actor, envelope)
                                               : hand_out(actor, envelope);
}

bool
coact__take_oldest(struct coact__actor *actor, struct coact_receipt *out)
{
    struct walk walk = {0};
    struct coact__envelope *found = walk_on(actor, &walk);
    if (found != NULL) {
        *out = coact__receipt_of(hand_out_any(actor, found));
    }
    return found != NULL;
}

static void
wait_for(struct coact__actor *actor, struct walk *walk, int64_t deadline_ns)
{
    // A receive of anything finds what it wants in front.
    bool is_watching = coact__is_fair(actor) && walk->count > 0;
    if (is_watching) {
        coact__fair_watch_begin(actor, walk->numbers, walk->count);
    }
    coact__wait(actor, "receive", COACT__INBOX_LISTENING, deadline_ns);
    if (is_watching) {
        coact__fair_watch_end(actor);
    }
    walk->has_slept = is_watching;
}

/* The first that is wanted; NULL, and why in *number, if none came in time. */
static struct coact__envelope *
await(struct coact__actor *actor, struct walk *walk, int64_t deadline_ns,
      uint32_t *number)
{
    coact__switch_check(actor, "receive");
    int rc = coact__wait_begin(actor);
    while (rc == 0) {
        struct coact__envelope *found = walk_on(actor, walk);
        if (found != NULL) {
            return found;
        }
        if (coact__has_passed(deadline_ns)) {
            *number = NUMBER_OF(coact_timeout);
            return NULL;
        }
        wait_for(actor, walk, deadline_ns);
        rc = coact__interrupted(actor);
    }
    *number = NUMBER_OF(coact_cancelled);
    return NULL;
}

/* The long way, for whatever there may be. */
__attribute__((noinline)) struct coact_received
coact__receive(int64_t deadline_ns, const uint32_t *numbers, size_t count)
{
    struct coact__actor *actor = coact__actor_or_misuse("COACT_RECEIVE");
    if (actor == NULL) {
        return (struct coact_received){NULL, COACT__NO_NUMBER};
    }
    struct walk walk = {.numbers = numbers, .count = count};
    uint32_t number = 0;
    if (COACT__UNLIKELY((actor->traits & COACT__LIMITED) != 0)) {
        coact__limits_next(actor);
    }
    struct coact__envelope *found = await(actor, &walk, deadline_ns, &number);
    if (found == NULL) {
        return (struct coact_received){NULL, number};
    }
    return hand_out_any(actor, found);
}

static struct coact_received
receive_any_slowly(void)
{
    return coact__receive(COACT_FOREVER, NULL, 0);
}

/* What has ended our sleep, if it is a message like most.  Our list was empty, and
   nobody else puts anything there. */
static inline struct coact__envelope *
given_quickly(struct coact__actor *actor)
{
    struct coact__item *given = (struct coact__item *)actor->task.given;
    if (given == NULL || given->kind != COACT__KIND_MESSAGE ||
        given->generation != coact__generation_of(actor)) {
        return NULL;
    }
    actor->task.given = NULL;
    owe_place(actor);
    return coact__envelope_of_item(given);
}

/* The oldest of our list, if it is one like most.  NULL: the long way tells. */
static inline struct coact__envelope *
first_quickly(struct coact__actor *actor)
{
    struct coact__envelope *first = actor->first;
    if (COACT__UNLIKELY(first->item.kind != COACT__KIND_MESSAGE)) {
        return NULL;
    }
    coact__unqueue(actor, NULL, first);
    owe_place(actor);
    __builtin_prefetch(actor->first); // of a burst the next one is wanted soon
    return first;
}

static inline struct coact_received
take_given(struct coact__actor *actor)
{
    struct coact__envelope *message =
        coact__is_undisturbed(actor) ? given_quickly(actor) : NULL;
    return COACT__LIKELY(message != NULL) ? received(actor, message)
                                          : receive_any_slowly();
}

/* The end of a receive that has slept, twice: see context.h. */
static __attribute__((noinline)) struct coact_received
take_and_return(struct coact__actor *actor)
{
    return take_given(actor);
}

static COACT__RETURNS_BY_JUMP __attribute__((noinline)) struct coact_received
take_and_jump(struct coact__actor *actor)
{
    return take_given(actor);
}

/* Called last of all by the receive, so it returns to where that was called. */
static __attribute__((noinline)) struct coact_received
sleep_and_take(struct coact__worker *worker, struct coact__actor *actor)
{
    const void *returns_to = __builtin_return_address(0);
    coact__note_wait_on(worker, actor, "receive");
    worker = coact__task_leave_noted(worker, &actor->task,
                                     coact__task_listens_for_ever(&actor->task),
                                     returns_to);
    atomic_store_explicit(&actor->doing, NULL, memory_order_relaxed);
    return worker->left_to == returns_to ? take_and_return(actor)
                                         : take_and_jump(actor);
}

/* The way of most: what is rare is left to other functions, last of all. */
struct coact_received
coact__receive_any(void)
{
    struct coact__worker *worker = coact__worker_here();
    struct coact__actor *actor =
        COACT__LIKELY(worker != NULL)
            ? (struct coact__actor *)coact__worker_current(worker)
            : NULL;
    if (COACT__UNLIKELY(actor == NULL || !coact__is_undisturbed(actor))) {
        return receive_any_slowly();
    }
    struct coact__envelope *message;
    if (actor->first != NULL) {
        message = first_quickly(actor);
    } else if (actor->task.given != NULL) {
        message = given_quickly(actor);
    } else if (coact__inbox_is_empty(&actor->task.inbox)) {
        return sleep_and_take(worker, actor);
    } else {
        return receive_any_slowly();
    }
    return COACT__LIKELY(message != NULL) ? received(actor, message)
                                          : receive_any_slowly();
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

/* Whatever it is that the block ends with. */
static __attribute__((noinline)) void
close_slowly(struct coact__actor *actor, struct coact__envelope *envelope,
             bool was_taken)
{
    if (!is_on(actor->held, envelope)) {
        return; // kept, released or forwarded
    }
    if (!was_taken) {
        say_unhandled(actor, envelope);
    }
    let_go(&actor->held, envelope);
    drop(actor, envelope);
}

void
coact__receipt_close(void *message, bool was_taken)
{
    struct coact__worker *worker = coact__worker_here();
    struct coact__actor *actor =
        (struct coact__actor *)coact__worker_current(worker);
    struct coact__envelope *envelope = coact__envelope_of(message);
    if (COACT__UNLIKELY(actor->held != envelope || !was_taken ||
                        envelope->item.form >= COACT__FORM_PLAIN_END)) {
        close_slowly(actor, envelope, was_taken);
        return;
    }
    actor->held = coact__envelope_next(envelope);
    coact__blocks_free(&worker->blocks, envelope, envelope->item.size_class);
}
