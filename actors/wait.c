/*
 * wait.c - what all suspending calls have in common.
 *
 *     rc = coact__wait_begin        what has come is looked at; may we wait?
 *     while (rc == 0 && not there)
 *         coact__wait               asleep, under a name
 *         rc = coact__interrupted
 *
 * A wait may end for no reason, so each looks whether what it waits for is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/account_internal.h"
#include "actors/ending.h"
#include "actors/life.h"
#include "actors/limit_internal.h"
#include "actors/pinned.h"
#include "actors/role_internal.h"
#include "actors/switch_check.h"
#include "mailbox/type.h"
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

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

/* Everything that may have come is looked at from here on: one who is never idle
   would otherwise go all the long ways for ever, for a signal it has seen. */
static void
look_at_arrivals(struct coact__actor *actor)
{
    if (COACT__UNLIKELY((actor->traits & COACT__PINNED) != 0)) {
        coact__actor_catch_up();
    }
    coact__inbox_look_by_owner(&actor->task.inbox);
    coact__drain(actor);
}

int
coact__wait_begin(struct coact__actor *actor)
{
    look_at_arrivals(actor);
    return coact__interrupted(actor);
}

int
coact__wait_begin_with(struct coact__actor *actor, struct coact_type *type,
                       void *payload)
{
    look_at_arrivals(actor);
    if (actor->stage == COACT__STAGE_TOLD) {
        coact__type_destroy(type, payload);
    }
    return coact__interrupted(actor);
}

bool
coact__has_passed(int64_t deadline_ns)
{
    return deadline_ns != COACT_FOREVER &&
           (deadline_ns <= COACT_NOW || coact__oracle_now_ns() >= deadline_ns);
}

void
coact__note_wait(struct coact__actor *actor, const char *doing)
{
    coact__note_wait_on(coact__here()->worker, actor, doing);
    if (COACT__UNLIKELY((actor->traits & COACT__ACCOUNTED) != 0)) {
        coact__account_suspend(actor, doing);
    }
}

void
coact__note_awake(struct coact__actor *actor)
{
    atomic_store_explicit(&actor->doing, NULL, memory_order_relaxed);
    if (COACT__UNLIKELY((actor->traits & COACT__ACCOUNTED) != 0)) {
        coact__account_resume(actor);
    }
}

static void
before_wait(struct coact__actor *actor, const char *doing)
{
    bool is_receive = strcmp(doing, "receive") == 0;
    if ((actor->traits & COACT__PINNED) != 0) {
        coact__actor_catch_up();
    }
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_pause(actor, is_receive);
    }
    if ((actor->traits & COACT__LENDS) != 0 && is_receive) {
        coact__role_wish(actor);
    }
}

void
coact__wait(struct coact__actor *actor, const char *doing,
            enum coact__inbox_flag how, int64_t deadline_ns)
{
    coact__give_places(actor);
    coact__suspend_check(actor, doing);
    if (actor->stage == COACT__STAGE_ENDING &&
        actor->extra->end_deadline_ns < deadline_ns) {
        deadline_ns = actor->extra->end_deadline_ns;
    }
    if (COACT__UNLIKELY(actor->traits != 0)) {
        before_wait(actor, doing);
    }
    coact__note_wait(actor, doing);
    coact__task_wait(&actor->task, how, deadline_ns);
    coact__note_awake(actor);
    coact__drain(actor);
    if (COACT__UNLIKELY((actor->traits & COACT__LIMITED) != 0)) {
        coact__limits_resume(actor);
    }
}

void
coact__give_way(struct coact__actor *actor)
{
    if (actor->stage == COACT__STAGE_ALIVE && actor->no_switch == 0) {
        coact__note_wait(actor, "spawn");
        coact__task_yield(&actor->task);
        coact__note_awake(actor);
    }
}
