/*
 * server.c - an actor that is called for each message, and holds no stack
 * between them.
 *
 *   begin   its init, in its first run
 *   turn    one message, one call of the handler
 *   run     turns, until there is no message (rest), or there were many (again),
 *           or it is to end
 *
 * A run is on a stack that the worker lends.  A handler that suspends suspends
 * the run, and so keeps the stack: nothing here knows of it.  For whoever is
 * outside a server that rests is an actor that waits in receive.
 *
 * Invariants
 *   V1  Who rests has nothing on its own list.  What comes goes to the inbox,
 *       and that wakes it; what it had taken out before would wake nobody.
 *   V2  A run ends after TURNS turns at most, behind all that is ready.  So a
 *       server that has always something to do is one of many, not the only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/ending.h"
#include "actors/life.h"
#include "actors/limit_internal.h"
#include "actors/pinned.h"
#include "actors/role_internal.h"
#include "actors/switch_check.h"

#include <coact/server.h>
#include <coact/supervisor.h>

#include <errno.h>

#define TURNS 64

/* A message that the handler has not looked at is one without a case. */
__attribute__((noinline)) void
coact__server_turn(struct coact__actor *actor, struct coact_receipt *at_hand)
{
    coact__mailbox_of(actor)->handle(actor->body, coact__ref_of(actor), at_hand,
                                     actor->arg);
    coact__receipt_end(at_hand);
}

static enum coact__after
end(struct coact__actor *actor, int code, const char *text)
{
    coact__end_life(actor, code, text);
    return COACT__AFTER_END;
}

/* From now on the state is what the handler gets; the argument is only kept if
   it is to be destroyed. */
static int
set_state(struct coact__actor *actor, void *state)
{
    if (actor->destroy_arg != NULL && state != actor->arg) {
        struct coact__extra *extra = coact__extra_of(actor);
        if (extra == NULL) {
            return -ENOMEM;
        }
        extra->given = actor->arg;
        extra->has_given = true;
    }
    actor->arg = state;
    return 0;
}

/* Our supervisor is told, as by a body that calls coact_started.  0, or why we
   fail. */
__attribute__((noinline)) int
coact__server_begin(struct coact__actor *actor, int (*init)(void **state))
{
    void *state = actor->arg;
    int rc = init != NULL ? init(&state) : 0;
    if (rc == 0) {
        rc = set_state(actor, state);
    }
    return rc == 0 ? coact_started() : rc;
}

/* As in a receive: who is asked to end is told once, before any message. */
static bool
is_to_end(struct coact__actor *actor)
{
    coact__drain(actor);
    if (actor->stage == COACT__STAGE_ASKED) {
        (void)coact__interrupted(actor);
        struct coact_receipt cancelled = {
            .number = offsetof(struct coact_accepts_always, coact_cancelled),
            .open = true};
        coact__server_turn(actor, &cancelled);
    }
    return actor->stage != COACT__STAGE_ALIVE;
}

static void
before_rest(struct coact__actor *actor)
{
    if ((actor->traits & COACT__PINNED) != 0) {
        coact__actor_catch_up();
    }
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_pause(actor, true);
    }
    if ((actor->traits & COACT__LENDS) != 0) {
        coact__role_wish(actor);
    }
}

/* The end of a run is to an actor what a wait in receive is. */
static enum coact__after
rest(struct coact__actor *actor)
{
    coact__give_places(actor);
    coact__suspend_check(actor, "rest");
    if (COACT__UNLIKELY(actor->traits != 0)) {
        before_rest(actor);
    }
    coact__note_wait(actor, "rest");
    return COACT__AFTER_REST;
}

/* Or what a yield is. */
static enum coact__after
give_turn(struct coact__actor *actor)
{
    coact__give_places(actor);
    coact__suspend_check(actor, "turn");
    coact__note_wait(actor, NULL);
    return COACT__AFTER_AGAIN;
}

static void
awake(struct coact__actor *actor)
{
    coact__note_awake(actor);
    coact__drain(actor);
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_resume(actor);
    }
}

/* The first run.  0: it serves. */
static int
run_first(struct coact__actor *actor)
{
    int (*init)(void **state) = actor->init; // a message overwrites it
    actor->serves = COACT__SERVES;
    awake(actor);
    return actor->stage == COACT__STAGE_ALIVE ? coact__server_begin(actor, init)
                                              : -ECANCELED;
}

/* There is no other stack: others wait for this one, so it must not. */
static enum coact__after
end_on_reserve(struct coact__actor *actor)
{
    coact__note_awake(actor);
    coact__drain(actor);
    actor->is_killed = true;
    return end(actor, -ENOMEM, "no stack could be had for it");
}

/* One message.  False: there is none. */
static bool
handle_next(struct coact__actor *actor)
{
    struct coact_receipt at_hand;
    if (!coact__take_oldest(actor, &at_hand)) {
        return false;
    }
    coact__server_turn(actor, &at_hand);
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__drain(actor);
        if (actor->first != NULL) {
            coact__limits_next(actor);
        }
    }
    return true;
}

enum coact__after
coact__server_run(struct coact__actor *actor)
{
    if (COACT__UNLIKELY(actor->task.on_reserve)) {
        return end_on_reserve(actor);
    }
    if (actor->serves == COACT__SERVES) {
        awake(actor);
    } else {
        int rc = run_first(actor);
        if (rc != 0) {
            return end(actor, rc, "its init failed");
        }
    }
    for (int turns = 0; turns < TURNS; turns++) {
        if (is_to_end(actor)) {
            return end(actor, COACT_NORMAL, "");
        }
        if (!handle_next(actor)) {
            return rest(actor);
        }
    }
    return give_turn(actor);
}
