/*
 * dig.c - ways to run over a stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/dig.h"

#include <alloca.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static volatile int depth_left = INT_MAX;

/* An array whose address leaves the compiler's sight is whole. */
static void
keep_whole(char *array)
{
    __asm__ volatile("" : : "r"(array) : "memory");
}

__attribute__((noinline)) int
dig(void)
{
    char frame[64];
    frame[0] = (char)depth_left;
    keep_whole(frame);
    return --depth_left > 0 ? dig() + frame[0] : 0;
}

__attribute__((noinline)) int
dig_wide(void)
{
    char frame[200000];
    frame[0] = 1;
    keep_whole(frame);
    return frame[0];
}

__attribute__((noinline)) int
dig_alloca(size_t bytes)
{
    char *frame = alloca(bytes);
    frame[0] = 1;
    keep_whole(frame);
    return frame[0];
}

static int
compare(const void *a, const void *b)
{
    return a == b ? 0 : dig();
}

int
dig_in_qsort(void)
{
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof(numbers[0]), compare);
    return numbers[0];
}

__attribute__((noinline)) int
dig_in_printf(void)
{
    char frame[64];
    snprintf(frame, sizeof(frame), "%.17g %d", depth_left / 7.0, depth_left);
    keep_whole(frame);
    return --depth_left > 0 ? dig_in_printf() + frame[0] : 0;
}

int
dig_with_odd_registers(void)
{
#if defined(__x86_64__)
    __asm__ volatile("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; std");
#endif
    return dig();
}
