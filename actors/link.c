/*
 * link.c - links, and the exit signals that go along them.
 *
 * Like a monitor (watch.c), a link is a conversation of items between two
 * inboxes.  The one who links puts its side on its list and sends the
 * introduction, upon which the other does the same.  Who unlinks or ends takes
 * its side off its list and sends its farewell.  A farewell is heeded only by a
 * side that is still linked; so after an unlink no exit signal of that link
 * has an effect, even one that is in the inbox already.
 *
 * The size class of an exit signal tells where its memory is from: a bond, or a
 * block of its own (coact_signal_exit).
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/bond.h"
#include "actors/ending.h"
#include "actors/node.h"
#include "runtime/memory.h"

#include <errno.h>
#include <stdio.h>

#define IN_A_BOND 7 /* no size class */

void
coact__bond_unhold(struct coact__bond *bond)
{
    // As in watch.c: release what we did, acquire what the others did.
    if (atomic_fetch_sub_explicit(&bond->holds, 1, memory_order_acq_rel) == 1) {
        coact__free(bond);
    }
}

/* The list takes over a hold. */
static void
tie(struct coact__actor *owner, struct coact__bond_side *side)
{
    struct coact__bond_side **list = &owner->extra->links;
    owner->extra->links_of_side[coact__bond_index(side)]++;
    side->is_linked = true;
    side->prev = NULL;
    side->next = *list;
    if (*list != NULL) {
        (*list)->prev = side;
    }
    *list = side;
}

/* The caller takes over the list's hold. */
static void
untie(struct coact__actor *owner, struct coact__bond_side *side)
{
    owner->extra->links_of_side[coact__bond_index(side)]--;
    side->is_linked = false;
    if (side->prev != NULL) {
        side->prev->next = side->next;
    } else {
        owner->extra->links = side->next;
    }
    if (side->next != NULL) {
        side->next->prev = side->prev;
    }
}

/* ---- Linking ---- */

static struct coact__bond *
new_bond(void)
{
    struct coact__bond *bond = coact__alloc_zeroed(sizeof(*bond));
    if (bond != NULL) {
        bond->side[0].bond = bond->side[1].bond = bond;
        bond->introduction.kind = COACT__KIND_LINK;
        // One for the list, or tie, of who links; one for the introduction,
        // which becomes the other's.
        atomic_store_explicit(&bond->holds, 2, memory_order_relaxed);
    }
    return bond;
}

struct coact__bond *
coact__bond_new(struct coact__actor *actor)
{
    return coact__extra_of(actor) != NULL ? new_bond() : NULL;
}

struct coact__bond *
coact__bond_from(coact_ref there, coact_ref here, uint64_t id)
{
    struct coact__bond *bond = new_bond();
    if (bond != NULL) {
        bond->id = id;
        bond->side[0].owner = there;
        bond->side[1].owner = here;
    }
    return bond;
}

void
coact__bond_farewell(struct coact_runtime *runtime,
                     struct coact__bond_side *side, enum coact__kind kind,
                     const struct coact_reason *reason)
{
    coact_ref to = coact__bond_other(side)->owner;
    if (!coact__is_local(runtime, to)) {
        coact__node_farewell(runtime, side, kind, reason);
        return;
    }
    struct coact__envelope *farewell = &side->farewell.envelope;
    farewell->item.kind = (uint8_t)kind & 15U;
    farewell->item.size_class = IN_A_BOND;
    farewell->from = side->owner;
    side->farewell.exit.from = side->owner;
    side->farewell.exit.reason = *reason;
    if (!coact__deliver(runtime, to, &farewell->item, COACT__AS_SIGNAL)) {
        coact__bond_unhold(side->bond);
    }
}

/* A local peer gets the introduction, or we answer for it. */
void
coact__bond_introduce(struct coact_runtime *runtime, struct coact__bond *bond)
{
    coact_ref to = bond->side[1].owner;
    if (!coact__is_local(runtime, to) ||
        !coact__deliver(runtime, to, &bond->introduction, COACT__AS_SIGNAL)) {
        coact__bond_farewell(
            runtime, &bond->side[1], COACT__KIND_EXIT,
            &(const struct coact_reason){.code = COACT_NOPROC});
    }
}

void
coact__bond_start(struct coact__actor *actor, struct coact__bond *bond,
                  coact_ref peer)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    bond->id =
        atomic_fetch_add_explicit(&runtime->next_id, 1, memory_order_relaxed);
    bond->side[0].owner = coact__ref_of(actor);
    bond->side[1].owner = peer;
    tie(actor, &bond->side[0]);
    if (coact__is_local(runtime, peer)) {
        coact__bond_introduce(runtime, bond);
    } else if (coact__node_link(runtime, bond) < 0) {
        coact__bond_farewell(
            runtime, &bond->side[1], COACT__KIND_EXIT,
            &(const struct coact_reason){.code = COACT_NOCONNECTION});
    }
}

static struct coact__bond_side *
find_link(struct coact__actor *actor, coact_ref peer)
{
    struct coact__bond_side *side =
        actor->extra != NULL ? actor->extra->links : NULL;
    while (side != NULL &&
           !coact_ref_equal(coact__bond_other(side)->owner, peer)) {
        side = side->next;
    }
    return side;
}

int
coact_link(coact_ref peer)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_link");
    if (actor == NULL) {
        return -EPERM;
    }
    coact__drain(actor); // the peer may have linked itself to us
    if (coact_ref_equal(peer, coact__ref_of(actor)) ||
        find_link(actor, peer) != NULL) {
        return 0;
    }
    struct coact__bond *bond = coact__bond_new(actor);
    if (bond == NULL) {
        return -ENOMEM;
    }
    coact__bond_start(actor, bond, peer);
    return 0;
}

int
coact_unlink(coact_ref peer)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_unlink");
    if (actor == NULL) {
        return -EPERM;
    }
    coact__drain(actor);
    struct coact__bond_side *side;
    while ((side = find_link(actor, peer)) != NULL) {
        untie(actor, side);
        coact__bond_farewell(
            coact__runtime_of(actor), side, COACT__KIND_UNLINK,
            &(const struct coact_reason){.code = COACT_NORMAL});
    }
    return 0;
}

int
coact_trap_exit(bool on)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_trap_exit");
    if (actor == NULL) {
        return -EPERM;
    }
    coact__drain(actor); // what came before is not trapped
    actor->traps = on;
    return 0;
}

/* ---- What arrives ---- */

static void
meet(struct coact__actor *actor, struct coact__bond *bond)
{
    if (coact__extra_of(actor) != NULL) {
        tie(actor, &bond->side[1]);
        return;
    }
    // No memory to be linked with: the link ends as if we had.
    coact__bond_farewell(coact__runtime_of(actor), &bond->side[1],
                         COACT__KIND_EXIT,
                         &(const struct coact_reason){.code = -ENOMEM});
}

/* Where both linked at once there are two bonds, and the dead says farewell on
   each: only the first is heeded.  A twin is one in which we are the other
   side; who has none, such as a supervisor, need not look for it. */
static void
forget_twin(struct coact__actor *actor, struct coact__bond_side *ours,
            coact_ref dead)
{
    struct coact__bond_side *side;
    while (actor->extra->links_of_side[1 - coact__bond_index(ours)] > 0 &&
           (side = find_link(actor, dead)) != NULL) {
        untie(actor, side);
        coact__bond_unhold(side->bond);
    }
}

static void
exit_arrived(struct coact__actor *actor, struct coact__envelope *news)
{
    struct coact_exit_news *exit = coact__payload_of(news);
    if (news->item.size_class != IN_A_BOND) {
        coact__exit_signal(actor, exit->from, &exit->reason, news, true);
        return;
    }
    struct coact__bond_side *ours =
        coact__bond_other(coact__bond_side_of(news));
    if (!ours->is_linked) {
        coact__exit_news_free(coact__runtime_of(actor), news);
        return;
    }
    untie(actor, ours);
    coact__bond_unhold(ours->bond);
    forget_twin(actor, ours, exit->from);
    coact__exit_signal(actor, exit->from, &exit->reason, news, false);
}

void
coact__link_arrived(struct coact__actor *actor, struct coact__item *item)
{
    struct coact__envelope *envelope = coact__envelope_of_item(item);
    if (item->kind == COACT__KIND_LINK) {
        meet(actor, (struct coact__bond *)(void *)((char *)item -
                                                   offsetof(struct coact__bond,
                                                            introduction)));
    } else if (item->kind == COACT__KIND_EXIT) {
        exit_arrived(actor, envelope);
    } else {
        struct coact__bond_side *ours =
            coact__bond_other(coact__bond_side_of(envelope));
        if (ours->is_linked) {
            untie(actor, ours);
            coact__bond_unhold(ours->bond);
        }
        coact__bond_unhold(ours->bond);
    }
}

void
coact__link_bounced(struct coact_runtime *runtime, struct coact__item *item,
                    const struct coact_reason *reason)
{
    struct coact__envelope *envelope = coact__envelope_of_item(item);
    if (item->kind == COACT__KIND_LINK) {
        struct coact__bond *bond =
            (struct coact__bond *)(void *)((char *)item -
                                           offsetof(struct coact__bond,
                                                    introduction));
        coact__bond_farewell(runtime, &bond->side[1], COACT__KIND_EXIT, reason);
    } else if (item->kind == COACT__KIND_EXIT) {
        coact__exit_news_free(runtime, envelope);
    } else {
        coact__bond_unhold(coact__bond_side_of(envelope)->bond);
    }
}

void
coact__exit_news_free(struct coact_runtime *runtime,
                      struct coact__envelope *news)
{
    if (news->item.size_class == IN_A_BOND) {
        coact__bond_unhold(coact__bond_side_of(news)->bond);
    } else {
        coact__envelope_free(&runtime->scheduler, news);
    }
}

void
coact__links_tell(struct coact__actor *actor, const struct coact_reason *reason)
{
    struct coact__bond_side *side;
    while ((side = actor->extra->links) != NULL) {
        untie(actor, side);
        coact__bond_farewell(coact__runtime_of(actor), side, COACT__KIND_EXIT,
                             reason);
    }
}

/* ---- Signals without a link ---- */

static struct coact_type exit_news_type = {
    .name = "coact_exit_news",
    .size = sizeof(struct coact_exit_news),
    .align = _Alignof(struct coact_exit_news)};

int
coact__signal_local(struct coact_runtime *runtime, coact_ref from, coact_ref to,
                    const struct coact_reason *reason)
{
    struct coact__envelope *news = coact__envelope_new(
        &runtime->scheduler, COACT__KIND_EXIT, &exit_news_type);
    if (news == NULL) {
        return -ENOMEM;
    }
    news->from = from;
    struct coact_exit_news *exit = coact__payload_of(news);
    exit->from = from;
    exit->reason = *reason;
    if (!coact__deliver(runtime, to, &news->item, COACT__AS_SIGNAL)) {
        coact__envelope_free(&runtime->scheduler, news);
    }
    return 0;
}

int
coact_signal_exit(coact_ref to, int code, const char *text)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_signal_exit",
                             "the thread is neither an actor nor attached");
    }
    if (code == COACT_KILL) {
        return coact_kill(to);
    }
    struct coact_reason reason = {.code = code};
    snprintf(reason.text, sizeof(reason.text), "%s", text != NULL ? text : "");
    if (!coact__is_local(runtime, to)) {
        return coact__node_signal(runtime, coact_self(), to, &reason, false);
    }
    return coact__signal_local(runtime, coact_self(), to, &reason);
}
