/*
 * errno.h - an errno whose address is asked for again after every call.
 *
 * The C library declares the function behind errno `const`: same thread, same
 * address, so a compiler calls it once and keeps the pointer.  An actor may
 * suspend on one thread and resume on another.  The kept pointer is then the
 * errno of a thread that runs something else: reading it is wrong, writing it
 * corrupts that other actor.
 *
 * So this file stands before the C library's, includes it under another name
 * for that function, and declares the function again without the promise.
 * The rest of errno.h is untouched.
 *
 * Other thread-locals have the same trouble and no such cure: do not keep
 * their address across a suspension.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma GCC system_header

#ifndef COACT_ERRNO_H
#define COACT_ERRNO_H

/* Only the prototype is renamed: the macro errno is expanded where it is used,
   when the name is the real one again. */
#define __errno_location coact__errno_location_as_const
#include_next <errno.h>
#undef __errno_location

#ifdef __cplusplus
extern "C" {
#endif
extern int *__errno_location(void) __THROW;
#ifdef __cplusplus
}
#endif

#else
#include_next <errno.h>
#endif
