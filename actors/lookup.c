/*
 * lookup.c - getaddrinfo as a job of the pool.
 *
 * The job owns copies of both names and, when it has run, the list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/lookup.h"

#include "actors/blocking.h"
#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/memory.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

struct lookup {
    char *host, *service;
    struct coact_addresses found;
    int rc;
};

void
coact_addresses_free(struct coact_addresses *addresses)
{
    coact__free(addresses->at);
    *addresses = (struct coact_addresses){0};
}

static void
destroy(void *arg)
{
    struct lookup *lookup = arg;
    coact__free(lookup->host);
    coact__free(lookup->service);
    coact_addresses_free(&lookup->found);
}

static int
code_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
    case EAI_SERVICE:
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_FAIL:
        return -EIO;
    case EAI_SYSTEM:
        return *coact__errno_here() > 0 ? -*coact__errno_here() : -EIO;
    default:
        return -EINVAL;
    }
}

static int
copy_list(const struct addrinfo *list, struct coact_addresses *out)
{
    size_t count = 0;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        count++;
    }
    out->at = coact__alloc_zeroed(count * sizeof(*out->at));
    if (out->at == NULL) {
        return -ENOMEM;
    }
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        struct coact_address *to = &out->at[out->count];
        if (one->ai_addrlen <= sizeof(to->room)) {
            memcpy(&to->room, one->ai_addr, one->ai_addrlen);
            to->bytes = one->ai_addrlen;
            out->count++;
        }
    }
    return 0;
}

/* On a thread that may block. */
static void
run(void *arg)
{
    struct lookup *lookup = arg;
    // One of each address, not one for each kind of socket.
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags =
                                       lookup->host == NULL ? AI_PASSIVE : 0};
    struct addrinfo *list = NULL;
    int error = coact__fails()
                    ? EAI_AGAIN
                    : getaddrinfo(lookup->host, lookup->service, &hints, &list);
    lookup->rc = code_of(error);
    if (lookup->rc == 0) {
        lookup->rc = copy_list(list, &lookup->found);
        freeaddrinfo(list);
    }
}

/* NULL stays NULL. */
static bool
copy_name(char **out, const char *name)
{
    *out = name != NULL ? coact__strdup(name) : NULL;
    return name == NULL || *out != NULL;
}

int
coact_lookup(const char *host, const char *service, int64_t deadline_ns,
             struct coact_addresses *out)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_lookup");
    if (actor == NULL) {
        return -EPERM;
    }
    if (host == NULL && service == NULL) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL, "coact_lookup",
                             "neither a host nor a service");
    }
    struct lookup lookup = {0};
    if (!copy_name(&lookup.host, host) ||
        !copy_name(&lookup.service, service)) {
        destroy(&lookup);
        return -ENOMEM;
    }
    int rc = coact_blocking(run, &lookup, sizeof(lookup), destroy, deadline_ns);
    if (rc < 0) {
        return rc;
    }
    if (lookup.rc == 0) {
        *out = lookup.found; // given
        lookup.found = (struct coact_addresses){0};
    }
    destroy(&lookup);
    return lookup.rc;
}
