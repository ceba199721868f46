/*
 * stack.h - stacks for coroutines, each with a guard page below it.
 *
 * Stacks are cut from slabs that are mapped in large pieces without backing
 * memory; a stack costs what its coroutine touches.  A stack that is put back
 * is handed out again first, while it is warm: nothing is returned to the
 * kernel on that path.  coact__stacks_trim gives back the pages of those that
 * nobody has wanted for long, many with one system call; their guards stay.
 *
 * Where no guard can be had (guard.h says when), a stack is no stack, and
 * coact__stacks_get fails with the reason, unless the options allow it.
 *
 * One allocator serves all threads of a runtime and locks itself.  Worker
 * caches are their owners' affair.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_STACK_H
#define COACT_RUNTIME_STACK_H

#include "runtime/guard.h"
#include "runtime/slab.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COACT__STACK_BYTES = 64 << 10,    /* by default, guard and all */
    COACT__STACK_MIN_BYTES = 16 << 10 /* room for a printf */
};

/* All zero is good. */
struct coact__stacks_options {
    size_t stack_bytes; /* guard included, rounded up to pages; 0: 64 KiB */
    size_t max_stacks;  /* at once; 0: 4 Mi */
    enum coact__guard guard; /* where to begin: tests force a kind */
    bool allow_unguarded;    /* rather no guard than no stack */
};

/* A stack: [low, low + bytes) is usable, the guard is the page below low.
   The tops of neighbours differ by some cache lines, or all parked coroutines
   would fight for the same few sets of the cache. */
struct coact__stack {
    void *low;
    uint32_t bytes;
    uint32_t number; /* the allocator's */
};

struct coact__stacks_counts {
    size_t in_use;
    size_t warm;            /* free, pages kept */
    size_t cold;            /* free, pages given back */
    size_t heavy;           /* of all these, those with a guard by mprotect */
    size_t unguarded;       /* and those with none */
    size_t mapped_bytes;    /* address space, not memory */
    enum coact__guard next; /* the kind that a new stack would get */
};

/* Free stacks, linked by their numbers. */
struct coact__stack_list {
    uint32_t head;
    size_t length;
};

/* The fields are those of stack.c and stack_trim.c. */
struct coact__stacks {
    pthread_mutex_t lock;
    pthread_cond_t trimmed; /* some are on a list again */
    size_t max_stacks;
    struct coact__slabs slabs;
    struct coact__guards guards;
    struct coact__stack_list warm;
    struct coact__stack_list cold;
    struct coact__stack_list bare; /* cut, and no guard was to be had */
    size_t on_no_list;             /* being trimmed or guarded; soon on one */
    size_t in_use;
    _Atomic bool are_guards_single; /* the kernel takes no guards together */
    _Atomic bool is_one_by_one;     /* nor the pages of runs */
};

/* Nothing is mapped before the first stack is taken.
   fails EINVAL (a size out of range: 16 KiB to 1 GiB), ENOMEM */
int coact__stacks_new(const struct coact__stacks_options *options,
                      struct coact__stacks **out);

/* Unmap everything.  Stacks still in use go too. */
void coact__stacks_free(struct coact__stacks *stacks);

/* Take a stack.  On failure *reason, unless reason is NULL, is a text that says
   what was exhausted and what helps; it is never freed.
   fails ENOMEM, EAGAIN (max_stacks are in use) */
int coact__stacks_get(struct coact__stacks *stacks, struct coact__stack *out,
                      const char **reason);

/* Take some of those that are free, at most so many, where the limit is far away; how
   many.  The last one has been in use last. */
uint32_t coact__stacks_get_free(struct coact__stacks *stacks,
                                struct coact__stack *out, uint32_t most);

/* Put a stack back, or some.  Their contents are lost from here on. */
void coact__stacks_put(struct coact__stacks *stacks,
                       const struct coact__stack *stack);
void coact__stacks_put_all(struct coact__stacks *stacks,
                           const struct coact__stack *these, uint32_t count);

/* Give back the pages of free stacks, but for the `keep` that were put last.
   Returns how many were trimmed.  It takes about 0.1 us for each, most of it
   without the lock.  A second trim at the same time, or one
   while new stacks are made, returns 0. */
size_t coact__stacks_trim(struct coact__stacks *stacks, size_t keep);

/* How many bytes of whole pages are there from an address in a stack to its
   end. */
size_t coact__stacks_span(const struct coact__stacks *stacks,
                          const struct coact__stack *stack, const void *from);

/* The empty chain. */
#define COACT__NO_STACKS ((struct coact__stack_list){COACT__NO_STACK, 0})

/* Put a stack in use, of which the caller alone disposes, on a chain; no lock is
   needed. */
void coact__stacks_chain(const struct coact__stacks *stacks,
                         struct coact__stack_list *chain,
                         const struct coact__stack *stack);

/* Give back the pages of all in a chain: they read as zeros from here on, and
   stay in use. */
void coact__stacks_empty(struct coact__stacks *stacks,
                         const struct coact__stack_list *chain);

/* True if an address is in the guard page of one of our stacks, and which one:
   then a fault there is an overflow.  May be called in a signal handler. */
bool coact__stacks_owner(const struct coact__stacks *stacks, const void *addr,
                         struct coact__stack *out);

void coact__stacks_count(struct coact__stacks *stacks,
                         struct coact__stacks_counts *out);

/* ---- Between the files of the allocator ---- */

/* Under the lock. */
void coact__stacks_push(struct coact__stacks *stacks,
                        struct coact__stack_list *list, uint32_t number,
                        enum coact__stack_state state);
uint32_t coact__stacks_pop(struct coact__stacks *stacks,
                           struct coact__stack_list *list);

#define COACT__NEW_STACKS 32

/* Neighbours that nobody has had; the first is to be had now. */
struct coact__new_stacks {
    uint32_t first;
    uint32_t count; /* 0: none; at most COACT__NEW_STACKS */
    bool is_light;  /* a light guard is to be tried */
};

/* Under the lock: cut some.  *reason says what failed.  fails ENOMEM, EAGAIN */
int coact__stacks_cut(struct coact__stacks *s, struct coact__new_stacks *these,
                      const char **reason);

/* Without the lock: guard them, and leave all but the first to others.  On failure
   the first is not in use any more.  fails ENOMEM */
int coact__stacks_guard(struct coact__stacks *s,
                        const struct coact__new_stacks *these,
                        const char **reason);

#endif
