/*
 * context.c - the only caller of fcontext, and the only one who tells ASan,
 * TSan and Valgrind about stacks.
 *
 * fcontext gives each side of a jump two words: where the other side stands
 * now, and one word that the other side chose.  Ours is the address of a
 * handoff on the leaver's stack.  Whoever wakes up reads it first of all, and
 * writes the leaver's place into the leaver's context: only then can the leaver
 * be resumed.  Until then the leaver's frame stands, so the address is good.
 *
 * A new context's entry and argument wait in a struct start at the very top of
 * its stack, in the page that the coroutine touches anyway.
 *
 * What the tools are told, and where:
 *            make           before a jump        after it         fini
 *   ASan     clean shadow   the stack to come    we are there     clean shadow
 *   LSan     a root                                               no root
 *   TSan     a fiber        the fiber to come                     fiber's end
 *   Valgrind a stack                                              no stack
 * ASan learns a thread's own stack from the first switch away from it.  At the
 * final switch ASan is given no place to keep the fake stack and drops it.  LSan
 * does not look into the fake stacks (detect_stack_use_after_return) of parked
 * coroutines, and then reports what only they hold.
 * TSan's fibers are synchronised by the switch (flag 0), as the code is.  In a
 * plain build none of it is there, and a switch is the jump (context.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/context.h"

#include "runtime/invariant.h"

#include <string.h>

#if COACT_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#endif
#if COACT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if COACT__TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Boost's other object, renamed.  Hidden, or the shared library would export
   it. */
#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN void *coact__make_fcontext(void *top, size_t bytes,
                                  void (*start)(struct coact__transfer));

/* context_<machine>.S: calls coact__context_main. */
HIDDEN void coact__context_start(struct coact__transfer);
HIDDEN _Noreturn void coact__context_main(struct coact__transfer);

struct start {
    coact__context_entry *entry;
    void *arg;
};

/* The tools' view of a stack that is ours. */

static void
tools_learn_stack(struct coact__context *context, void *low, size_t bytes)
{
#if COACT_HAVE_VALGRIND
    context->valgrind_id =
        VALGRIND_STACK_REGISTER(low, (char *)low + bytes - 1);
    VALGRIND_MAKE_MEM_UNDEFINED(low, bytes);
#endif
#if COACT__ASAN
    // An abandoned coroutine leaves its red zones behind.
    __asan_unpoison_memory_region(low, bytes);
    // A parked coroutine may hold the only pointer to a block.
    __lsan_register_root_region(low, bytes);
    context->fake_stack = NULL;
    context->stack_low = low;
    context->stack_bytes = bytes;
    context->is_ours = true;
#endif
#if COACT__TSAN
    context->fiber = __tsan_create_fiber(0);
    context->is_fiber_ours = true;
#endif
    (void)context;
    (void)low;
    (void)bytes;
}

static void
tools_learn_thread(struct coact__context *context)
{
#if COACT_HAVE_VALGRIND
    context->valgrind_id = 0;
#endif
#if COACT__ASAN
    context->fake_stack = NULL;
    context->stack_low = NULL;
    context->stack_bytes = 0;
    context->is_ours = false;
#endif
#if COACT__TSAN
    context->fiber = __tsan_get_current_fiber();
    context->is_fiber_ours = false;
#endif
    (void)context;
}

static void
tools_forget(struct coact__context *context)
{
#if COACT__ASAN
    if (context->is_ours) {
        __lsan_unregister_root_region(context->stack_low, context->stack_bytes);
        __asan_unpoison_memory_region(context->stack_low, context->stack_bytes);
        context->is_ours = false;
    }
#endif
#if COACT__TSAN
    if (context->is_fiber_ours) {
        __tsan_destroy_fiber(context->fiber);
        context->is_fiber_ours = false;
    }
#endif
#if COACT_HAVE_VALGRIND
    VALGRIND_STACK_DEREGISTER(context->valgrind_id);
#endif
    (void)context;
}

/*
 * The tools' view of a switch.
 *
 * These are inline, or TSan would see a call on one stack and the return from
 * it on another.  ASan must not move their locals, nor those of the switches,
 * to its fake stack: the final switch frees that while the other side has yet
 * to read the handoff.
 */
#define NO_ASAN __attribute__((no_sanitize_address))
#define PART_OF_SWITCH NO_ASAN __attribute__((always_inline)) static inline

PART_OF_SWITCH void
tools_leave(void **fake_stack, const struct coact__context *to)
{
#if COACT__ASAN
    __sanitizer_start_switch_fiber(fake_stack, to->stack_low, to->stack_bytes);
#endif
#if COACT__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)fake_stack;
    (void)to;
}

PART_OF_SWITCH void
tools_arrive(struct coact__context *self, struct coact__context *from)
{
#if COACT__ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, &from->stack_low,
                                    &from->stack_bytes);
#endif
    (void)self;
    (void)from;
}

/* The first thing to do on waking up. */
PART_OF_SWITCH struct coact__handoff
take_over(struct coact__transfer transfer)
{
    const struct coact__handoff *handoff = transfer.data;
    handoff->from->fcontext = transfer.fcontext;
    return *handoff;
}

NO_ASAN void
coact__context_main(struct coact__transfer transfer)
{
    struct coact__handoff handoff = take_over(transfer);
    tools_arrive(handoff.to, handoff.from);
    struct start start = *(const struct start *)handoff.to->start;
    start.entry(start.arg, handoff.pass);
    coact__broken("a coroutine never returns", __FILE__, __LINE__);
}

void
coact__context_make(struct coact__context *context, void *stack_low,
                    size_t stack_bytes, coact__context_entry *entry, void *arg)
{
    tools_learn_stack(context, stack_low, stack_bytes);
    uintptr_t top = (uintptr_t)stack_low + stack_bytes - sizeof(struct start);
    struct start *start = (struct start *)(top & ~(uintptr_t)15);
    start->entry = entry;
    start->arg = arg;
    context->start = start;
    context->fcontext =
        coact__make_fcontext(start, (size_t)((char *)start - (char *)stack_low),
                             coact__context_start);
}

void
coact__context_init_thread(struct coact__context *context)
{
    context->fcontext = NULL;
    context->start = NULL;
    tools_learn_thread(context);
}

void
coact__context_fini(struct coact__context *context)
{
    tools_forget(context);
    context->fcontext = NULL;
}

#if COACT__ASAN || COACT__TSAN
NO_ASAN void *
coact__context_switch(struct coact__context *from, struct coact__context *to,
                      void *pass)
{
    coact__held_check("a switch");
    struct coact__handoff leave = {from, to, pass};
#if COACT__ASAN
    tools_leave(&from->fake_stack, to);
#else
    tools_leave(NULL, to);
#endif
    struct coact__handoff arrive =
        take_over(coact__jump_fcontext(to->fcontext, &leave));
    tools_arrive(from, arrive.from);
    return arrive.pass;
}
#endif

NO_ASAN void
coact__context_switch_final(struct coact__context *from,
                            struct coact__context *to, void *pass)
{
    coact__held_check("a switch");
    struct coact__handoff leave = {from, to, pass};
    tools_leave(NULL, to);
    coact__jump_fcontext(to->fcontext, &leave);
    coact__broken("what has ended is never resumed", __FILE__, __LINE__);
}

#define JUMP_NEAR 0xE9 /* and 32 bits: how far behind the instruction */

// In a handler, on whatever stack; a sanitizer has no business here.
__attribute__((no_sanitize_thread, no_sanitize_address)) bool
coact__context_is_leaving(uintptr_t pc)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    const unsigned char *at =
        (const unsigned char *)pc; // NOLINT(performance-no-int-to-ptr)
    if (at[0] == JUMP_NEAR) {
        int32_t distance;
        memcpy(&distance, at + 1, sizeof(distance));
        return pc + 1 + sizeof(distance) + (uintptr_t)(intptr_t)distance ==
               (uintptr_t)&coact__jump_fcontext;
    }
#else
    (void)pc;
#endif
    return false;
}
