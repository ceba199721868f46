/*
 * land.h - whose code is at an address: the user's, coact's, or another's.
 *
 * Code is told apart by where it lies in memory.  The user's is the program's
 * own, and that of one more module, for actors that live in a plugin.  coact's
 * is its shared library; in a static library it lies in a section of its own,
 * coact_text, so that it can be told from the program that it became a part of
 * (tools/cmake/CoactLibraries.cmake).  All the rest belongs to others: the C
 * library, the dynamic linker, the vDSO, any library.
 *
 * What is looked up in a signal handler was surveyed before; the module of a
 * plugin is asked for by _dl_find_object, which is made for that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_LAND_H
#define COACT_RUNTIME_LAND_H

#include "runtime/error.h"

#include <stdint.h>

enum coact__owner { COACT__OWNER_USER, COACT__OWNER_COACT, COACT__OWNER_OTHER };

struct coact__range {
    uintptr_t from, to; /* to: the first address after it */
};

struct coact__land {
    struct coact__range program, ours;
};

/* Look at the process once.
   fails ENOTSUP: coact's code cannot be told from the program's, or the C
   library's cannot (a program linked with -static) */
COACT_CHECKED int coact__land_survey(struct coact__land *land);

/* Whose is the code at pc?  `native` is an address in code that is the user's
   for sure: an actor's body.  from any, also in a signal handler */
enum coact__owner coact__land_owner(const struct coact__land *land,
                                    uintptr_t pc, uintptr_t native);

#endif
