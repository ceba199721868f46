/*
 * death.h - what kills a process that does something forbidden.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_DEATH_H
#define COACT_TEST_DEATH_H

/* Run act(arg) in a child.  The signal that ended it; if it ended by exit, or
   by returning from act, minus its exit status (0 for a return).  What it
   writes to stderr is lost; it leaves no core. */
int death_of(void (*act)(void *arg), void *arg);

#endif
