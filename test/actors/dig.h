/*
 * dig.h - ways to run over a stack.
 *
 * None of them returns.  Compilers must see no end of them, nor that there is
 * none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_DIG_H
#define COACT_TEST_DIG_H

#include <stddef.h>

/* By calls, of small frames. */
int dig(void);

/* By one frame of 200 kB: an array, and alloca. */
int dig_wide(void);
int dig_alloca(size_t bytes);

/* By calls of a function of the C library that calls back, which digs. */
int dig_in_qsort(void);

/* By calls; in each the C library is used, which takes more of the stack than
   we do: it is the one to run over. */
int dig_in_printf(void);

/* By calls; before them the processor is put into a state in which no function
   may be called: its old floating-point stack is full, and it copies backwards
   (where it has such things). */
int dig_with_odd_registers(void);

#endif
