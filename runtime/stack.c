/*
 * stack.c - take a stack, put it back: two lists of free ones over the slabs.
 *
 * A stack is cut from its slab when it is first needed, or one beside it, and
 * gets its guard then (stack_cut.c).  From then on it is
 *     BARE   cut, and there was no guard      -> USED, with the next try
 *     USED   until put                        -> WARM
 *     WARM   until get takes the last put     -> USED, or a trim -> TRIMMING
 *     TRIMMING  on no list, the trimming thread's (stack_trim.c) -> COLD
 *     COLD   until no warm one is left        -> USED
 * get prefers warm, then cold, then bare and uncut ones.
 *
 * Invariants
 *   K1  All fields are guarded by the lock, save what slab.h says needs none, and
 *       `next` and `is_guarded` of a stack in use, which are its holder's.
 *   K2  A stack has its guard before anybody gets it, and keeps it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/stack.h"

#include "runtime/invariant.h"
#include "runtime/memory.h"

#include <errno.h>
#include <unistd.h>

#define STACK_MAX_BYTES ((size_t)1 << 30)
#define DEFAULT_MAX_STACKS ((size_t)4 << 20)
#define DEFAULT_MAX_BYTES ((size_t)1 << 46) /* half of the address space */

/* The top of a stack moves down by colour * 64 bytes.  At most 960, so that a
   parked coroutine's few frames still end in the topmost page. */
#define COLOURS 16u
#define COLOUR_BYTES 64u

/* Who takes more than the one it needs leaves so many to be had for each. */
#define SPARE_FOR_ONE 64

static const char no_more[] = "the runtime's limit on stacks is reached";

/* A stack with its guard, in whole pages; 0 if the size is out of range. */
static size_t
stride_of(size_t bytes, size_t page)
{
    if (bytes < COACT__STACK_MIN_BYTES || bytes > STACK_MAX_BYTES) {
        return 0;
    }
    bytes = (bytes + page - 1) / page * page;
    // A page for the guard, and at least as much to stand on.
    return bytes < 2 * page ? 2 * page : bytes;
}

static size_t
default_max_stacks(size_t stride)
{
    size_t fit = DEFAULT_MAX_BYTES / stride;
    return fit < DEFAULT_MAX_STACKS ? fit : DEFAULT_MAX_STACKS;
}

int
coact__stacks_new(const struct coact__stacks_options *options,
                  struct coact__stacks **out)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t stride = stride_of(options->stack_bytes != 0 ? options->stack_bytes
                                                        : COACT__STACK_BYTES,
                              page);
    if (stride == 0 || options->guard > COACT__GUARD_NONE) {
        return -EINVAL;
    }
    struct coact__stacks *s = coact__alloc_zeroed(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->max_stacks = options->max_stacks != 0 ? options->max_stacks
                                             : default_max_stacks(stride);
    s->warm.head = COACT__NO_STACK;
    s->cold.head = COACT__NO_STACK;
    s->bare.head = COACT__NO_STACK;
    int rc = coact__slabs_init(&s->slabs, stride, s->max_stacks);
    if (rc != 0) {
        coact__free(s);
        return rc;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->trimmed, NULL);
    coact__guards_init(&s->guards, options->guard, options->allow_unguarded);
    *out = s;
    return 0;
}

void
coact__stacks_free(struct coact__stacks *s)
{
    coact__slabs_fini(&s->slabs);
    pthread_cond_destroy(&s->trimmed);
    pthread_mutex_destroy(&s->lock);
    coact__free(s);
}

void
coact__stacks_push(struct coact__stacks *s, struct coact__stack_list *list,
                   uint32_t number, enum coact__stack_state state)
{
    struct coact__stack_entry *entry = coact__slabs_entry(&s->slabs, number);
    entry->state = (uint8_t)state;
    entry->next = list->head;
    list->head = number;
    list->length++;
}

uint32_t
coact__stacks_pop(struct coact__stacks *s, struct coact__stack_list *list)
{
    uint32_t number = list->head;
    list->head = coact__slabs_entry(&s->slabs, number)->next;
    list->length--;
    return number;
}

static int
take_locked(struct coact__stacks *s, struct coact__new_stacks *new,
            uint32_t *number, const char **reason)
{
    new->count = 0;
    if (s->in_use == s->max_stacks) {
        *reason = no_more;
        return -EAGAIN;
    }
    if (s->warm.length > 0) {
        *number = coact__stacks_pop(s, &s->warm);
    } else if (s->cold.length > 0) {
        *number = coact__stacks_pop(s, &s->cold);
    } else {
        int rc = coact__stacks_cut(s, new, reason);
        if (rc != 0) {
            return rc;
        }
        *number = new->first;
    }
    coact__slabs_entry(&s->slabs, *number)->state = COACT__STACK_USED;
    s->in_use++;
    return 0;
}

static struct coact__stack
describe(const struct coact__stacks *s, uint32_t number)
{
    uint32_t colour = number % COLOURS * COLOUR_BYTES;
    return (struct coact__stack){
        .low = coact__slabs_base(&s->slabs, number) + s->guards.page,
        .bytes = (uint32_t)(s->slabs.stride - s->guards.page) - colour,
        .number = number,
    };
}

int
coact__stacks_get(struct coact__stacks *s, struct coact__stack *out,
                  const char **reason)
{
    uint32_t number;
    struct coact__new_stacks new;
    const char *why;
    pthread_mutex_lock(&s->lock);
    int rc = take_locked(s, &new, &number, &why);
    while (rc != 0 && s->on_no_list > 0) {
        // Those that are being trimmed, or guarded, are free in a moment.
        pthread_cond_wait(&s->trimmed, &s->lock);
        rc = take_locked(s, &new, &number, &why);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == 0 && new.count > 0) {
        rc = coact__stacks_guard(s, &new, &why);
    }
    if (rc != 0) {
        if (reason != NULL) {
            *reason = why;
        }
        return rc;
    }
    *out = describe(s, number);
    return 0;
}

uint32_t
coact__stacks_get_free(struct coact__stacks *s, struct coact__stack *out,
                       uint32_t most)
{
    pthread_mutex_lock(&s->lock);
    size_t spare = (s->max_stacks - s->in_use) / SPARE_FOR_ONE;
    size_t there = s->warm.length + s->cold.length;
    size_t count = there < spare ? there : spare;
    count = count < most ? count : most;
    for (size_t i = count; i-- > 0;) {
        out[i].number =
            coact__stacks_pop(s, s->warm.length > 0 ? &s->warm : &s->cold);
        coact__slabs_entry(&s->slabs, out[i].number)->state = COACT__STACK_USED;
    }
    s->in_use += count;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < count; i++) {
        out[i] = describe(s, out[i].number);
    }
    return (uint32_t)count;
}

void
coact__stacks_put_all(struct coact__stacks *s, const struct coact__stack *these,
                      uint32_t count)
{
    // Of a million stacks that were idle for long, each has its entry on a cache
    // line of its own.
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch(coact__slabs_entry(&s->slabs, these[i].number), 1);
    }
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < count; i++) {
        // Put twice, it would be two coroutines' stack.
        COACT__INVARIANT(
            coact__slabs_entry(&s->slabs, these[i].number)->state ==
            COACT__STACK_USED);
        coact__stacks_push(s, &s->warm, these[i].number, COACT__STACK_WARM);
    }
    s->in_use -= count;
    pthread_mutex_unlock(&s->lock);
}

void
coact__stacks_put(struct coact__stacks *s, const struct coact__stack *stack)
{
    coact__stacks_put_all(s, stack, 1);
}

bool
coact__stacks_owner(const struct coact__stacks *s, const void *addr,
                    struct coact__stack *out)
{
    uint32_t number;
    size_t offset;
    if (!coact__slabs_find(&s->slabs, addr, &number, &offset) ||
        offset >= s->guards.page ||
        !coact__slabs_entry(&s->slabs, number)->is_guarded) {
        return false;
    }
    *out = describe(s, number);
    return true;
}

void
coact__stacks_count(struct coact__stacks *s, struct coact__stacks_counts *out)
{
    pthread_mutex_lock(&s->lock);
    *out = (struct coact__stacks_counts){
        .in_use = s->in_use,
        .warm = s->warm.length + s->on_no_list,
        .cold = s->cold.length,
        .heavy = s->guards.heavy,
        .unguarded = s->guards.none,
        .mapped_bytes = s->slabs.mapped_bytes,
        .next = s->guards.next,
    };
    pthread_mutex_unlock(&s->lock);
}
