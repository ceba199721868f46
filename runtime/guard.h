/*
 * guard.h - the page below a stack, where an overflow stops.
 *
 * Kinds, best first:
 *   light  MADV_GUARD_INSTALL, Linux 6.13 and later: a mark in the page table.
 *          Any number of them.
 *   heavy  mprotect: two mappings each, so that they end, by the limit
 *          vm.max_map_count, near 30,000 of them in a process.
 *   none   only where the options allow it.
 * A guard catches a frame larger than itself only in code that was built with
 * -fstack-clash-protection.
 *
 * Both kinds survive MADV_DONTNEED.  Callers lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_GUARD_H
#define COACT_RUNTIME_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum coact__guard {
    COACT__GUARD_BEST, /* begin at the top of the ladder */
    COACT__GUARD_LIGHT,
    COACT__GUARD_HEAVY,
    COACT__GUARD_NONE
};

struct coact__guards {
    enum coact__guard next; /* the kind that is tried next */
    bool allow_none;
    size_t page;  /* bytes */
    size_t heavy; /* installed, of each of these kinds */
    size_t none;
    size_t heavy_max; /* 0: not yet looked up */
};

void coact__guards_init(struct coact__guards *guards, enum coact__guard first,
                        bool allow_none);

/* Where `next` is LIGHT, the first half of guarding a page, which is a system call
   and touches nothing but the page: without the owner's lock.
   fails ENOMEM, and others that say that there are none such here */
int coact__guards_light(const struct coact__guards *guards, void *page);

/* The same for many pages, with one call.  On failure some may have a guard. */
int coact__guards_light_many(const struct coact__guards *guards,
                             const struct iovec *pages, size_t count);

/* The rest: `rc` is what the first half has come to, or anything but 0.  Says what
   kind it is; NONE is a success only where it is allowed.
   fails ENOMEM */
int coact__guards_install(struct coact__guards *guards, void *page, int rc,
                          enum coact__guard *kind);

#endif
