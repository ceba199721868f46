/*
 * ending.c - how an actor comes to its end, and what others learn of it.
 *
 *   ALIVE  -> ASKED   a kill, an exit signal            (drain)
 *   ASKED  -> TOLD    the next wait returns -ECANCELED  (interrupted)
 *   TOLD   -> ENDING  the wait after it; the body's return; coact_exit and
 *                     coact_fail at any time            (finish)
 *   ENDING -> GONE    the clean-ups have run            (leave_world)
 *
 * The order of the last steps is a promise: when the news of a death arrives,
 * the name is free, the clean-ups have run, and the address names nobody.  And
 * it arrives behind everything the dead has sent: both go by the same inbox.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/ending.h"

#include "actors/account_internal.h"
#include "actors/fair.h"
#include "actors/limit_internal.h"
#include "actors/node.h"
#include "actors/overflow.h"
#include "actors/pinned.h"
#include "actors/switch_check.h"
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CLEANUP_NS COACT_SECONDS(5)
#define SHUTDOWN_NS COACT_SECONDS(5) /* of who has no supervisor */
#define DOOM_LATER_NS                                                          \
    COACT_MS(1) /* so that our supervisor is first, and says so */

static void
kill_at_doom(struct coact__timer *timer)
{
    struct coact__extra *extra =
        (struct coact__extra *)(void *)((char *)timer -
                                        offsetof(struct coact__extra, doom));
    // Armed by the actor and cancelled at its end, so it is still the one.
    coact__kill_local(extra->owner, coact__generation_of(extra->owner));
}

struct coact__extra *
coact__extra_of(struct coact__actor *actor)
{
    if (actor->extra == NULL) {
        actor->extra = coact__alloc_zeroed(sizeof(*actor->extra));
        if (actor->extra != NULL) {
            actor->extra->owner = actor;
            actor->extra->doom.fire = kill_at_doom;
            actor->extra->shutdown_ns = SHUTDOWN_NS;
        }
    }
    return actor->extra;
}

static void
set_reason(struct coact_reason *reason, int code, const char *text)
{
    reason->code = code;
    snprintf(reason->text, sizeof(reason->text), "%s", text);
}

/* ---- Being asked ---- */

void
coact__ask_to_end(struct coact__actor *actor, int code, const char *text)
{
    if (actor->stage != COACT__STAGE_ALIVE) {
        return;
    }
    actor->stage = COACT__STAGE_ASKED;
    actor->end_code = code;
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra != NULL) {
        set_reason(&extra->end_reason, code, text);
    }
}

/* Our supervisor wants us gone and we trap: news, and a limit. */
static void
doom(struct coact__actor *actor)
{
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra == NULL) {
        // No memory for a timer: end now rather than never.
        coact__ask_to_end(actor, COACT_SHUTDOWN, "");
        return;
    }
    if (extra->shutdown_ns != COACT_FOREVER && !extra->is_doomed) {
        extra->is_doomed = true;
        coact__timer_arm(&coact__here()->worker->timers, &extra->doom,
                         coact_in_ns(extra->shutdown_ns) + DOOM_LATER_NS);
    }
}

/* Of our supervisor; of coact_stop, which is that of those who have none. */
static bool
is_from_above(const struct coact__actor *actor, coact_ref from, int code)
{
    const coact_ref supervisor =
        actor->extra != NULL ? actor->extra->supervisor : (coact_ref){0};
    return coact_ref_equal(from, supervisor) &&
           (!coact_ref_is_none(from) || code == COACT_SHUTDOWN);
}

void
coact__exit_signal(struct coact__actor *actor, coact_ref from,
                   const struct coact_reason *reason,
                   struct coact__envelope *news, bool is_explicit)
{
    bool is_own = is_explicit && coact_ref_equal(from, coact__ref_of(actor));
    if (actor->traps && !is_own) {
        if (is_from_above(actor, from, reason->code)) {
            doom(actor);
        }
        news->item.kind = COACT__KIND_EXIT_NEWS;
        news->item.number = offsetof(struct coact_accepts_always, coact_exit);
        coact__enqueue(actor, news);
        return;
    }
    if (reason->code != COACT_NORMAL || is_own) {
        coact__ask_to_end(actor, reason->code, reason->text);
    }
    coact__exit_news_free(coact__runtime_of(actor), news);
}

void
coact__kill_local(struct coact__actor *actor, uint32_t generation)
{
    uint64_t word = atomic_load_explicit(&actor->word, memory_order_relaxed);
    do {
        if (word >> 32 != generation || (word & COACT__ACTOR_ALIVE) == 0) {
            return;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &actor->word, &word, word | COACT__ACTOR_KILL, memory_order_release,
        memory_order_relaxed));
    coact__task_wake(&actor->task);
}

int
coact_kill(coact_ref ref)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_kill",
                             "the thread is neither an actor nor attached");
    }
    if (!coact__is_local(runtime, ref)) {
        return coact__node_signal(
            runtime, coact_self(), ref,
            &(const struct coact_reason){.code = COACT_KILL}, true);
    }
    struct coact__actor *actor = coact__slot_of(runtime, ref);
    if (actor != NULL) {
        coact__kill_local(actor, ref.generation);
    }
    return 0;
}

/* ---- Ending by oneself ---- */

void
coact_exit(int code)
{
    struct coact__actor *actor = coact__actor_here();
    COACT__INVARIANT(actor != NULL && "coact_exit outside of an actor");
    coact__finish(actor, code, "");
}

void
coact_fail(int code, const char *format, ...)
{
    struct coact__actor *actor = coact__actor_here();
    COACT__INVARIANT(actor != NULL && "coact_fail outside of an actor");
    char text[COACT_REASON_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    coact__finish(actor, code == COACT_NORMAL ? -EINVAL : code, text);
}

/* ---- Clean-ups ---- */

struct coact__defer {
    struct coact__defer *next;
    void (*fn)(void *arg);
    void *arg;
};

int
coact_defer(void (*fn)(void *arg), void *arg)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_defer");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__extra *extra = coact__extra_of(actor);
    struct coact__defer *defer =
        extra != NULL ? coact__alloc(sizeof(*defer)) : NULL;
    if (defer == NULL) {
        return -ENOMEM;
    }
    *defer = (struct coact__defer){extra->defers, fn, arg};
    extra->defers = defer;
    return 0;
}

__attribute__((noinline)) void
coact__call_cleanup(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    __asm__ volatile(""); // or the call would be a jump, and this no frame
}

static bool
run_newest(struct coact__extra *extra)
{
    struct coact__defer *defer = extra->defers;
    if (defer == NULL) {
        return false;
    }
    // Off the list first: a clean-up that fails is not run again.
    extra->defers = defer->next;
    void (*fn)(void *) = defer->fn;
    void *arg = defer->arg;
    coact__free(defer);
    coact__call_cleanup(fn, arg);
    return true;
}

int
coact_undefer(void)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_undefer");
    if (actor == NULL) {
        return -EPERM;
    }
    return actor->extra != NULL && run_newest(actor->extra) ? 0 : -ENOENT;
}

/* ---- The end ---- */

static void
drop_list(struct coact__actor *actor, struct coact__envelope *envelope,
          const struct coact_reason *reason)
{
    while (envelope != NULL) {
        struct coact__envelope *next =
            (struct coact__envelope *)(void *)envelope->item.node.next;
        coact__envelope_drop(coact__runtime_of(actor), envelope, -EOWNERDEAD,
                             reason);
        envelope = next;
    }
}

static void
say_end(struct coact__actor *actor, const struct coact_reason *reason)
{
    bool is_failure = reason->code < 0 || reason->code >= COACT_USER_REASON ||
                      reason->code == COACT_STACK_OVERFLOW;
    if (is_failure) {
        COACT__COUNT_ONE(coact__runtime_of(actor), failed);
    }
    enum coact_log_level level = is_failure ? COACT_LOG_ERROR : COACT_LOG_DEBUG;
    if (!coact__log_wants(&coact__runtime_of(actor)->log, level)) {
        return;
    }
    coact__log(coact__runtime_of(actor), level,
               "%s (actor %u.%u, mailbox %s) ended: %s%s%s",
               coact__label_of(actor), coact__number_of(actor),
               coact__generation_of(actor), coact__mailbox_of(actor)->name,
               coact_reason_name(reason->code),
               reason->text[0] != '\0' ? ": " : "", reason->text);
}

/* From here on the address names nobody; whatever comes is refused. */
static void
close_slot(struct coact__actor *actor, const struct coact_reason *reason)
{
    uint32_t generation = coact__generation_of(actor);
    atomic_store_explicit(&actor->word, 0, memory_order_release);
    atomic_store_explicit(&actor->task.whose,
                          coact__whose(coact__number_of(actor), generation + 1),
                          memory_order_release);
    struct coact__inbox_node *node = coact__task_close(&actor->task);
    while (node != NULL) {
        struct coact__item *item = (struct coact__item *)node;
        node = node->next;
        const struct coact_reason gone = {.code = COACT_NOPROC};
        coact__bounce(coact__runtime_of(actor), item,
                      item->generation == generation ? reason : &gone);
    }
    struct coact__bound *bound = coact__bound_of(actor);
    if (bound != NULL) {
        coact__bound_close(bound);
    }
}

/* All that is left when the clean-ups have run; no suspension from here on. */
static void
leave_world(struct coact__actor *actor, const struct coact_reason *reason)
{
    struct coact__extra *extra = actor->extra;
    actor->stage = COACT__STAGE_GONE;
    say_end(actor, reason);
    coact__mutexes_end(actor);
    coact__fair_end(actor); // what follows knows plain lists
    drop_list(actor, actor->held, reason);
    drop_list(actor, actor->kept, reason);
    drop_list(actor, actor->first, reason);
    if (extra != NULL) {
        coact__timer_cancel(&extra->doom);
        coact__tickers_drop(actor);
        coact__watches_drop(actor);
        coact__arena_free(extra);
        if (extra->account != NULL) {
            coact__account_close(actor);
        }
    }
    if (actor->destroy_arg != NULL) {
        actor->destroy_arg(extra != NULL && extra->has_given ? extra->given
                                                             : actor->arg);
    }
    coact__name_remove(actor);
    coact_ref self = coact__ref_of(actor);
    close_slot(actor, reason);
    if ((actor->traits & COACT__PINNED) != 0) {
        coact__actor_pinned_gone(actor);
    }
    if (extra != NULL) {
        extra->last_self = self;
        coact__watches_tell(actor, reason);
        coact__links_tell(actor, reason);
        coact__free(extra);
        actor->extra = NULL;
    }
    if (actor->label != NULL) {
        coact__label_replace(actor, NULL);
    }
    COACT__COUNT_ONE(coact__runtime_of(actor), ended);
}

/* The reason we were asked with, if we were; else the one given.  `own` is
   where it is put, if it is nowhere yet. */
static const struct coact_reason *
final_reason(struct coact__actor *actor, int code, const char *text,
             struct coact_reason *own)
{
    bool was_asked = actor->stage != COACT__STAGE_ALIVE;
    if (was_asked && actor->extra != NULL) {
        actor->extra->end_reason.code = actor->end_code;
        return &actor->extra->end_reason;
    }
    own->code = was_asked ? actor->end_code : code;
    own->text[0] = '\0';
    if (!was_asked && text[0] != '\0') {
        set_reason(own, code, text);
    }
    return own;
}

static void
grant_cleanups(struct coact__actor *actor, int code)
{
    struct coact__extra *extra = actor->extra;
    if (extra != NULL && extra->defers != NULL) {
        int64_t grace =
            code == COACT_SHUTDOWN ? extra->shutdown_ns : CLEANUP_NS;
        extra->end_deadline_ns = coact_in_ns(grace);
    }
}

/* Nobody waits for its end, and it leaves nothing behind. */
static bool
is_unattached(const struct coact__actor *actor)
{
    return coact__is_undisturbed(actor) && actor->extra == NULL &&
           actor->first == NULL && actor->task.given == NULL &&
           actor->held == NULL && actor->kept == NULL &&
           actor->destroy_arg == NULL && actor->name == NULL &&
           actor->label == NULL &&
           !atomic_load_explicit(&actor->task.is_gated, memory_order_relaxed) &&
           actor->mutexes_held == 0;
}

bool
coact__end_quickly(struct coact__actor *actor)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    if (!is_unattached(actor) ||
        coact__log_wants(&runtime->log, COACT_LOG_DEBUG)) {
        return false;
    }
    actor->stage = COACT__STAGE_GONE;
    static const struct coact_reason normal = {.code = COACT_NORMAL};
    close_slot(actor, &normal);
    COACT__COUNT_ONE_ON(coact__worker_here(), ended);
    return true;
}

void
coact__end_life(struct coact__actor *actor, int code, const char *text)
{
    // Once: an actor without an extra has nowhere else to keep the text.
    struct coact_reason own;
    const struct coact_reason *reason = final_reason(actor, code, text, &own);
    if (actor->stage < COACT__STAGE_ENDING) {
        actor->end_code = reason->code;
        if (actor->extra != NULL) {
            if (reason == &own) {
                actor->extra->end_reason = own;
            }
            grant_cleanups(actor, reason->code);
        }
        actor->stage = COACT__STAGE_ENDING;
    }
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_end(actor);
    }
    coact__no_switch_leave_all(actor);
    // A clean-up that fails comes here again, and the next one runs.
    while (actor->extra != NULL && run_newest(actor->extra)) {
    }
    coact__overflow_over(actor);
    leave_world(actor, reason);
}

void
coact__finish(struct coact__actor *actor, int code, const char *text)
{
    coact__end_life(actor, code, text);
    coact__task_end(&actor->task);
}

void
coact__finish_unborn(struct coact__actor *actor, int code, const char *text)
{
    coact__drain(actor);
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_end(actor);
    }
    struct coact_reason own;
    leave_world(actor, final_reason(actor, code, text, &own));
}
