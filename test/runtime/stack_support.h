/*
 * stack_support.h - one allocator of stacks, as its tests use it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_STACK_SUPPORT_H
#define COACT_TEST_STACK_SUPPORT_H

#include "runtime/stack.h"

#include <unistd.h>

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

enum { SOME = 100 };

extern const struct coact__stacks_options plain;

/* Either kind of guard. */
extern const enum coact__guard kinds[2];

/* The one that set_up has made. */
extern struct coact__stacks *stacks;

/* Those that use_and_put_some has put: some[0], some[37], some[74], ... */
extern struct coact__stack some[SOME];

/* Each fails the test if it cannot. */
void set_up(const struct coact__stacks_options *options);
struct coact__stack get(void);
struct coact__stacks_counts counts(void);
void use_and_put_some(void);

#endif
