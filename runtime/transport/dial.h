/*
 * dial.h - addresses, and the knock on the door before nanomsg comes.
 *
 * nanomsg ends the whole process when it dials and the machine has no port
 * left.  So we try the same steps with a socket of our own first: bind to any
 * port, connect, hang up.  If that fails we know, and nothing has happened.
 * Then we see that there are a few ports more, and leave those to others.  What
 * remains is that all of them go in the 0.1 ms until nanomsg has its port.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_DIAL_H
#define COACT_RUNTIME_TRANSPORT_DIAL_H

#include "runtime/error.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct coact__address {
    struct sockaddr_storage socket;
    socklen_t len;
};

/* "tcp://192.0.2.1:5000", "tcp://[::1]:5000" or "ipc:///path".  Numbers only:
   to look a name up would hold up every link.  -EINVAL */
COACT_CHECKED int coact__address_parse(const char *text,
                                       struct coact__address *out);

/* A socket on its way to the address; -EINPROGRESS is not among the codes.
   Hang up with close: the other side sees a reset, and no port of ours waits
   for a minute. */
COACT_CHECKED int coact__dial_start(const struct coact__address *to, int *fd);

/* True if nanomsg may dial now: there are ports and descriptors to spare. */
bool coact__dial_has_room(const struct coact__address *to);

/* 0: it stands; -EAGAIN: not yet; else why it does not. */
COACT_CHECKED int coact__dial_result(int fd);

#endif
