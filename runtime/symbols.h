/*
 * symbols.h - the function at an address.
 *
 * dladdr knows the functions that a file exports.  The bodies of actors are
 * static functions, as a rule, so where it knows none the file's own symbol
 * table is read, unless it has been stripped.  Not for signal handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SYMBOLS_H
#define COACT_RUNTIME_SYMBOLS_H

#include <stdint.h>

struct coact__symbol {
    char name[96];       /* empty: unknown; cut if longer */
    char file[96];       /* its last part; empty: in none */
    uintptr_t into_name; /* the address, from the function's first */
    uintptr_t into_file; /* the address as the file counts, for addr2line(1) */
};

/* Nothing is known of an address outside of all files: then all is empty. */
void coact__symbols_find(uintptr_t address, struct coact__symbol *out);

#endif
