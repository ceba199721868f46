/*
 * lookup.h - the addresses of a name.
 *
 * Looking up a name asks files and servers, for seconds if they do not answer.
 * Here a thread of the pool does it (blocking.h), and the actor waits.
 *
 *   struct coact_addresses found = {0};
 *   int fd = coact_lookup("example.org", "443", deadline_ns, &found);
 *   for (size_t i = 0; i < found.count; i++) {
 *       fd = coact_connect(&found.at[i].any, found.at[i].bytes, deadline_ns);
 *       if (fd >= 0) { break; }
 *   }
 *   coact_addresses_free(&found);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_LOOKUP_H
#define COACT_LOOKUP_H

#include <coact/error.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

COACT_BEGIN_DECLS

/* An address of a stream socket, as coact_connect and bind take it. */
struct coact_address {
    union {
        struct sockaddr any; /* its family says which */
        struct sockaddr_storage room;
    };
    socklen_t bytes;
};

struct coact_addresses {
    struct coact_address *at; /* the best one first */
    size_t count;
};

/* The addresses of a host (a name, or an address in digits; NULL: to listen at,
   on all that this machine has) and a service (a name or a port in digits; NULL:
   port 0); not both NULL.  *out is given: free it with coact_addresses_free.
   -ENOENT: there is no such host or service; -EAGAIN: the servers do not answer
   now; -EIO: they say that they cannot.
   from actor, waits yes, fails ETIMEDOUT ECANCELED ENOENT EAGAIN EIO EINVAL ENOMEM EPERM EMFILE and those of getaddrinfo */
COACT_API COACT_CHECKED int coact_lookup(const char *host, const char *service,
                                         int64_t deadline_ns,
                                         struct coact_addresses *out);

/* Free a list, which may be empty, all zero; it is empty then.
   from any, waits no, fails never */
COACT_API void coact_addresses_free(struct coact_addresses *addresses);

COACT_END_DECLS

#endif
