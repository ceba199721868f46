/*
 * altstack.c - a stack for signal handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/altstack.h"

#include <signal.h>
#include <sys/mman.h>

/* A backtrace unwinds with large frames; what is not touched costs nothing. */
#define ALTSTACK_BYTES ((size_t)64 << 10)

void
coact__altstack_open(struct coact__altstack *altstack)
{
    *altstack = (struct coact__altstack){0};
    stack_t now;
    if (sigaltstack(NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) {
        return;
    }
    void *memory = mmap(NULL, ALTSTACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    stack_t ours = {.ss_sp = memory, .ss_size = ALTSTACK_BYTES};
    if (sigaltstack(&ours, NULL) != 0) {
        munmap(memory, ALTSTACK_BYTES);
        return;
    }
    *altstack = (struct coact__altstack){memory, ALTSTACK_BYTES};
}

void
coact__altstack_close(struct coact__altstack *altstack)
{
    if (altstack->memory == NULL) {
        return;
    }
    stack_t none = {.ss_flags = SS_DISABLE};
    if (sigaltstack(&none, NULL) == 0) {
        munmap(altstack->memory, altstack->bytes);
    }
    altstack->memory = NULL;
}
