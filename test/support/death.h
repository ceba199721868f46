/*
 * death.h - what kills a process that does something forbidden.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_DEATH_H
#define COACT_TEST_DEATH_H

#include <stddef.h>

/* Run act(arg) in a child.  The signal that ended it; if it ended by exit, or
   by returning from act, minus its exit status (0 for a return).  What it
   writes to stderr is lost; it leaves no core. */
int death_of(void (*act)(void *arg), void *arg);

/* The same, with the beginning of what it writes to stderr in words, which
   ends with a 0. */
int death_with_words(void (*act)(void *arg), void *arg, char *words,
                     size_t bytes);

#endif
