/*
 * slab.h - the mappings that stacks are cut from, and a number for each stack.
 *
 * Beneath stack.h, and for its files alone.  Callers lock, but for what is said
 * to need no lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SLAB_H
#define COACT_RUNTIME_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COACT__NO_STACK UINT32_MAX

enum coact__stack_state {
    COACT__STACK_UNCUT, /* nobody has had it: it has no guard */
    COACT__STACK_BARE,  /* the same, but it was tried */
    COACT__STACK_USED,
    COACT__STACK_WARM,     /* free, its pages kept */
    COACT__STACK_TRIMMING, /* free, the trimming thread's */
    COACT__STACK_COLD      /* free, its pages given back */
};

struct coact__stack_entry {
    uint32_t next; /* on its list */
    uint8_t state;
    bool is_guarded;
};

struct coact__slab {
    char *base;
    size_t bytes;
    uint32_t count;
    _Atomic uint32_t cut; /* how many have been had */
    struct coact__stack_entry entries[];
};

struct coact__slabs {
    size_t stride; /* from one stack to the next, guard included */
    size_t max;
    size_t mapped_bytes;
    char *ahead; /* mapped, for the slabs to come */
    size_t ahead_bytes;
    _Atomic size_t count;
    struct coact__slab **table;
};

/* Room for slabs that hold this many stacks.  fails EINVAL (more than there
   are numbers), ENOMEM */
int coact__slabs_init(struct coact__slabs *slabs, size_t stride,
                      size_t max_stacks);
void coact__slabs_fini(struct coact__slabs *slabs);

/* The number of a stack that nobody has had, in a new slab if need be.  It is
   the caller's from coact__slabs_cut on, with all between it and that one.  *reason says what failed.
   fails ENOMEM, EAGAIN (there is no more room) */
int coact__slabs_next(struct coact__slabs *slabs, uint32_t *number,
                      const char **reason);
void coact__slabs_cut(struct coact__slabs *slabs, uint32_t number);

/* How many there are from this one to the end of its slab. */
uint32_t coact__slabs_left(const struct coact__slabs *slabs, uint32_t number);

struct coact__stack_entry *coact__slabs_entry(const struct coact__slabs *slabs,
                                              uint32_t number);

/* Where its guard begins; the stack is above. */
char *coact__slabs_base(const struct coact__slabs *slabs, uint32_t number);

/* True if these two are one beside the other in memory, in this order. */
bool coact__slabs_adjoin(uint32_t first, uint32_t second);

/* The stack with its guard that an address lies in, and how far from its base,
   if it has been cut.  Needs no lock; may be called in a signal handler. */
bool coact__slabs_find(const struct coact__slabs *slabs, const void *addr,
                       uint32_t *number, size_t *offset);

#endif
