/*
 * aside.c - a switch there and a switch back, with nothing in between that the
 * scheduler would notice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/aside.h"

#include "runtime/context.h"
#include "runtime/here.h"
#include "runtime/scheduler.h"
#include "runtime/stack.h"

struct aside {
    void (*fn)(void *arg);
    void *arg;
    struct coact__context there, back;
};

static void
run(void *arg, void *pass)
{
    (void)pass;
    struct aside *aside = arg;
    aside->fn(aside->arg);
    coact__context_switch_final(&aside->there, &aside->back, NULL);
}

int
coact__aside(struct coact__scheduler *scheduler, void (*fn)(void *arg),
             void *arg)
{
    struct coact__stacks *stacks = scheduler->stacks[COACT__STACK_CLASSES - 1];
    struct coact__stack stack;
    int rc = coact__stacks_get(stacks, &stack, NULL);
    if (rc < 0) {
        return rc;
    }
    struct aside aside = {.fn = fn, .arg = arg};
    coact__context_init_thread(&aside.back); // whatever runs here now
    coact__context_make(&aside.there, stack.low, stack.bytes, run, &aside);
    struct coact__here here = *coact__here();
    *coact__here() = (struct coact__here){0};
    coact__context_switch(&aside.back, &aside.there, NULL);
    *coact__here() = here;
    coact__context_fini(&aside.there);
    coact__context_fini(&aside.back);
    coact__stacks_put(stacks, &stack);
    return 0;
}
