/*
 * io.h - descriptors: calls that suspend the actor, not its worker.
 *
 * They are the system calls of their names, with a deadline.  The descriptor
 * must be non-blocking (O_NONBLOCK), or the call may block the worker; those
 * that coact_accept gives are.  A descriptor is the caller's: nothing here
 * closes it, except that of a coact_connect that failed.  At most one actor
 * waits for a descriptor at a time.
 *
 * A regular file is always ready: reading one blocks the worker as long as the
 * disk takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_IO_H
#define COACT_IO_H

#include <coact/actor.h>
#include <coact/error.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

COACT_BEGIN_DECLS

/* Wait until a descriptor is ready for POLLIN or POLLOUT, or has failed.
   from actor, waits yes, fails ETIMEDOUT ECANCELED EEXIST EBADF ENOMEM EPERM */
COACT_API COACT_CHECKED int coact_wait_fd(int fd, short events,
                                          int64_t deadline_ns);

/* Read what there is, up to `bytes`.  0 at the end of the file.
   from actor, waits yes, fails ETIMEDOUT ECANCELED EEXIST EBADF ENOMEM EPERM and those of read */
COACT_API COACT_CHECKED ssize_t coact_read(int fd, void *buffer, size_t bytes,
                                           int64_t deadline_ns);

/* Write all of it.  The number written is less only if it failed on the way,
   and then the next call says why.
   from actor, waits yes, fails ETIMEDOUT ECANCELED EEXIST EBADF ENOMEM EPERM and those of write */
COACT_API COACT_CHECKED ssize_t coact_write(int fd, const void *buffer,
                                            size_t bytes, int64_t deadline_ns);

/* The next connection of a listening socket: a descriptor, non-blocking and
   closed on exec, given: close it with close.
   from actor, waits yes, fails ETIMEDOUT ECANCELED EEXIST EBADF ENOMEM EPERM and those of accept */
COACT_API COACT_CHECKED int coact_accept(int fd, int64_t deadline_ns);

/* A stream socket connected to an address: non-blocking and closed on exec,
   given: close it with close.
   from actor, waits yes, fails ETIMEDOUT ECANCELED ENOMEM EPERM and those of socket and connect */
COACT_API COACT_CHECKED int coact_connect(const struct sockaddr *address,
                                          socklen_t bytes, int64_t deadline_ns);

COACT_END_DECLS

#endif
