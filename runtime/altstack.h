/*
 * altstack.h - a stack for signal handlers of threads that run coroutines.
 *
 * A coroutine that has overflowed its stack has no room for a handler: without
 * another stack the kernel ends the process, and nobody can say why.  No
 * handler is installed here; whoever has one marks it SA_ONSTACK.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_ALTSTACK_H
#define COACT_RUNTIME_ALTSTACK_H

#include <stddef.h>

struct coact__altstack {
    void *memory; /* NULL: the thread had one, or there is no memory */
    size_t bytes;
};

/* Give the calling thread one, if it has none.  Without memory it stays without:
   then a crash is not reported, and that is all. */
void coact__altstack_open(struct coact__altstack *altstack);

/* Take it back, on the same thread. */
void coact__altstack_close(struct coact__altstack *altstack);

#endif
