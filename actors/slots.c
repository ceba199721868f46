/*
 * slots.c - the places that actors live in.
 *
 * Slots come in slabs that are made when needed and freed with the runtime.
 * The table of slabs has its full length from the start (address space, not
 * memory), so that it never moves and a look-up takes no lock.
 *
 * A slot's generation goes up by one when its actor ends: from then on the old
 * address names nobody.  A slot that has used up its generations is not used
 * again.
 *
 * Memory orders: a slab is published with release and read with acquire: the
 * slots as they were made.  The generation is stored with release and loaded
 * with acquire: who finds it changed also finds the end that changed it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/memory.h"

#include <errno.h>
#include <string.h>

bool
coact__is_local(const struct coact_runtime *runtime, coact_ref ref)
{
    // Nobody, and who lived here before our time, are ours to call dead.
    return ref.node == runtime->node || coact_ref_is_none(ref);
}

coact_ref
coact__ref_of(const struct coact__actor *actor)
{
    return (coact_ref){
        actor->runtime->node, actor->runtime->incarnation, actor->slot,
        atomic_load_explicit(&actor->generation, memory_order_acquire)};
}

struct coact__actor *
coact__slot_of(struct coact_runtime *runtime, coact_ref ref)
{
    return ref.node == runtime->node && ref.incarnation == runtime->incarnation
               ? coact__slot_at(runtime, ref.slot)
               : NULL;
}

struct coact__actor *
coact__slot_at(struct coact_runtime *runtime, uint32_t slot)
{
    uint32_t slab = slot / COACT__SLAB_SLOTS;
    if (slab >= COACT__SLABS) {
        return NULL;
    }
    struct coact__actor *slots =
        atomic_load_explicit(&runtime->slabs[slab], memory_order_acquire);
    return slots != NULL ? &slots[slot % COACT__SLAB_SLOTS] : NULL;
}

bool
coact__is_current(struct coact__actor *actor, coact_ref ref)
{
    // Generation 0 is that of a slot which nobody has had.
    return actor != NULL && ref.generation != 0 &&
           atomic_load_explicit(&actor->generation, memory_order_acquire) ==
               ref.generation;
}

/* Under the lock. */
static struct coact__actor *
new_slot(struct coact_runtime *runtime, int *rc)
{
    uint32_t slot = runtime->slots;
    if (slot >= runtime->options.max_actors) {
        *rc = -EAGAIN;
        return NULL;
    }
    uint32_t slab = slot / COACT__SLAB_SLOTS;
    struct coact__actor *slots =
        atomic_load_explicit(&runtime->slabs[slab], memory_order_relaxed);
    if (slots == NULL) {
        slots = coact__alloc_zeroed(COACT__SLAB_SLOTS * sizeof(*slots));
        if (slots == NULL) {
            *rc = -ENOMEM;
            return NULL;
        }
        atomic_store_explicit(&runtime->slabs[slab], slots,
                              memory_order_release);
    }
    struct coact__actor *actor = &slots[slot % COACT__SLAB_SLOTS];
    actor->runtime = runtime;
    actor->slot = slot;
    atomic_store_explicit(&actor->generation, 1, memory_order_relaxed);
    runtime->slots++;
    return actor;
}

struct coact__actor *
coact__slot_take(struct coact_runtime *runtime, int *rc)
{
    pthread_mutex_lock(&runtime->lock);
    struct coact__actor *actor = NULL;
    if (atomic_load_explicit(&runtime->stopping, memory_order_acquire)) {
        *rc = -ESHUTDOWN; // coact_stop may have counted already
    } else if (runtime->free_slots != NULL) {
        actor = runtime->free_slots;
        runtime->free_slots = actor->next_free;
    } else {
        actor = new_slot(runtime, rc);
    }
    if (actor != NULL) {
        // Relaxed: coact_stop takes the lock before it looks.
        atomic_fetch_add_explicit(&runtime->alive, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&runtime->lock);
    return actor;
}

void
coact__slot_give(struct coact__actor *actor)
{
    if (atomic_load_explicit(&actor->generation, memory_order_relaxed) ==
        UINT32_MAX) {
        return;
    }
    struct coact_runtime *runtime = actor->runtime;
    pthread_mutex_lock(&runtime->lock);
    actor->next_free = runtime->free_slots;
    runtime->free_slots = actor;
    pthread_mutex_unlock(&runtime->lock);
}
