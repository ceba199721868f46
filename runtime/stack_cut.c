/*
 * stack_cut.c - stacks that nobody has had: cut from a slab, and guarded, several
 * at a time.
 *
 * A guard by a call of its own costs 0.75 us, 32 with one call 0.45 us each; and
 * each call takes the lock of the address space, for which two threads that need
 * stacks keep each other waiting, and all who map or unmap something.  So who
 * needs one cuts some more where there are many already, guards them all, without
 * our lock, and leaves them with the cold ones, which they are like: their pages
 * cost nothing yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"
#include "runtime/stack.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/uio.h>

/* One more at once for so many that are in use. */
#define IN_USE_FOR_ONE 64

static const char no_guard[] =
    "no guard page can be had: before Linux 6.13 each costs two mappings; "
    "raise vm.max_map_count, use fewer actors, or allow unguarded stacks";

static uint32_t
how_many(const struct coact__stacks *s)
{
    // Relaxed: a hint, and who misses it is refused once more.
    if (s->guards.next != COACT__GUARD_LIGHT ||
        atomic_load_explicit(&s->are_guards_single, memory_order_relaxed)) {
        return 1;
    }
    size_t many = 1 + s->in_use / IN_USE_FOR_ONE;
    return many < COACT__NEW_STACKS ? (uint32_t)many : COACT__NEW_STACKS;
}

int
coact__stacks_cut(struct coact__stacks *s, struct coact__new_stacks *these,
                  const char **reason)
{
    *these = (struct coact__new_stacks){
        .count = 1, .is_light = s->guards.next == COACT__GUARD_LIGHT};
    if (s->bare.length > 0) {
        these->first = coact__stacks_pop(s, &s->bare);
        return 0;
    }
    int rc = coact__slabs_next(&s->slabs, &these->first, reason);
    if (rc != 0) {
        these->count = 0;
        return rc;
    }
    uint32_t left = coact__slabs_left(&s->slabs, these->first);
    uint32_t many = how_many(s);
    these->count = many < left ? many : left;
    coact__slabs_cut(&s->slabs, these->first + these->count - 1);
    s->on_no_list += these->count - 1; // on no list, and soon on one
    return 0;
}

/* With one call.  False: it was refused, and some may have theirs. */
static bool
guard_together(struct coact__stacks *s, const struct coact__new_stacks *these)
{
    struct iovec pages[COACT__NEW_STACKS];
    for (uint32_t i = 0; i < these->count; i++) {
        pages[i] = (struct iovec){
            coact__slabs_base(&s->slabs, these->first + i), s->guards.page};
    }
    int rc = coact__guards_light_many(&s->guards, pages, these->count);
    if (rc != 0 && rc != -ENOMEM) {
        atomic_store_explicit(&s->are_guards_single, true,
                              memory_order_relaxed);
    }
    return rc == 0;
}

/* Those behind the first are for others: without a guard they are bare. */
static void
leave_rest(struct coact__stacks *s, const struct coact__new_stacks *these,
           bool is_guarded)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = these->count - 1; i > 0; i--) {
        uint32_t number = these->first + i;
        coact__slabs_entry(&s->slabs, number)->is_guarded = is_guarded;
        if (is_guarded) {
            coact__stacks_push(s, &s->cold, number, COACT__STACK_COLD);
        } else {
            coact__stacks_push(s, &s->bare, number, COACT__STACK_BARE);
        }
    }
    s->on_no_list -= these->count - 1;
    pthread_cond_broadcast(&s->trimmed);
    pthread_mutex_unlock(&s->lock);
}

/* Not under the lock as long as the guards are light: others need new stacks as
   well, and a system call takes long. */
static int
guard_first(struct coact__stacks *s, const struct coact__new_stacks *these,
            const char **reason)
{
    char *page = coact__slabs_base(&s->slabs, these->first);
    int rc = these->is_light ? coact__guards_light(&s->guards, page) : -ENOTSUP;
    enum coact__guard kind = COACT__GUARD_LIGHT;
    if (rc != 0) {
        pthread_mutex_lock(&s->lock);
        rc = coact__guards_install(&s->guards, page, rc, &kind);
        if (rc != 0) {
            coact__stacks_push(s, &s->bare, these->first, COACT__STACK_BARE);
            s->in_use--;
            *reason = no_guard;
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (rc == 0) {
        coact__slabs_entry(&s->slabs, these->first)->is_guarded =
            kind != COACT__GUARD_NONE;
    }
    return rc;
}

int
coact__stacks_guard(struct coact__stacks *s,
                    const struct coact__new_stacks *these, const char **reason)
{
    bool is_done = these->count > 1 && guard_together(s, these);
    if (these->count > 1) {
        leave_rest(s, these, is_done);
    }
    if (is_done) {
        coact__slabs_entry(&s->slabs, these->first)->is_guarded = true;
        return 0;
    }
    return guard_first(s, these, reason);
}
