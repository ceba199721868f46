/*
 * host.h - a name of this machine that can be looked up.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_HOST_H
#define COACT_TEST_HOST_H

#include <netdb.h>
#include <stddef.h>

/* "localhost", but its number where there is no /etc/hosts to say so.  Not for
   actors: the C library takes more than their stack. */
static inline const char *
this_host(void)
{
    struct addrinfo *found;
    if (getaddrinfo("localhost", NULL, NULL, &found) != 0) {
        return "127.0.0.1";
    }
    freeaddrinfo(found);
    return "localhost";
}

#endif
