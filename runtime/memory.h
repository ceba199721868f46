/*
 * memory.h - where all of coact's memory comes from, so that any of it can be
 * made to fail.
 *
 * Nobody else calls malloc.  Outside of tests these are malloc and free with
 * one test of a word that is never written.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_MEMORY_H
#define COACT_RUNTIME_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* NULL when there is no memory.  Free with coact__free. */
void *coact__alloc(size_t bytes);
void *coact__alloc_zeroed(size_t bytes);

/* At an address that is a multiple of `align`, a power of two that divides
   `bytes`. */
void *coact__alloc_aligned(size_t align, size_t bytes);

/* As realloc: on failure the old block stays as it was. */
void *coact__realloc(void *block, size_t bytes);

/* A copy of a string; NULL when there is no memory. */
char *coact__strdup(const char *text);

void coact__free(void *block);

/* madvise for many pieces of memory, `bytes` in all, with one call.
   fails ENOMEM (or only some were done), and others that say that this kernel does
   not know it: those before 6.13 */
int coact__advise_many(const struct iovec *pieces, size_t count, size_t bytes,
                       int advice);

/*
 * The failures.  coact__fail_nth(n, sticky) makes the nth failure point from
 * now on fail (the first is 1), and all after it if sticky; 0 ends that.  A
 * failure point is every call above and every coact__fails() in the code, which
 * stands before a system call that may be refused.  For tests only, and for one
 * test at a time: the counter is the process's.
 */
void coact__fail_nth(unsigned long n, bool sticky);
unsigned long coact__fail_count(void); /* points passed since fail_nth */
bool coact__fails(void);

#endif
