/*
 * context.h - leave one stack, go on with another.
 *
 * A context is a place where execution stands still.  A switch fills the
 * caller's context and empties the one that it resumes; both sides are equal,
 * and a worker thread's own stack is a context like any other.  A context may
 * be resumed by another OS thread than the one that left it.
 *
 * A context holds no memory of its own but, under a sanitizer or Valgrind, what
 * these must be told; so each one that was made or initialised ends with
 * coact__context_fini.  It is not locked: who may resume it is for the caller
 * to know, and the switch that leaves it must be over first.  Make a context
 * visible to others only from the other side of that switch.
 *
 * A switch keeps the floating-point control words of each context.  A new one
 * starts with those of the thread that made it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_CONTEXT_H
#define COACT_RUNTIME_CONTEXT_H

#include "runtime/held.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which tool watches this build.  Both compilers are asked their own way. */
#if defined(__has_feature)
#define COACT__HAS_FEATURE(name) __has_feature(name)
#else
#define COACT__HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || COACT__HAS_FEATURE(address_sanitizer)
#define COACT__ASAN 1
#else
#define COACT__ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || COACT__HAS_FEATURE(thread_sanitizer)
#define COACT__TSAN 1
#else
#define COACT__TSAN 0
#endif

/* The fields are those of context.c and of coact__context_switch. */
struct coact__context {
    void *fcontext; /* where it stands, unless it runs */
    void *start;    /* what its first resumption needs, on its own stack; then
                       hibernate.c's */
#if COACT_HAVE_VALGRIND
    unsigned valgrind_id;
#endif
#if COACT__ASAN
    void *fake_stack;
    const void *stack_low;
    size_t stack_bytes;
    bool is_ours; /* made here: its stack is to be forgotten at the end */
#endif
#if COACT__TSAN
    void *fiber;
    bool is_fiber_ours;
#endif
};

/* Where a coroutine begins.  `pass` is what the first switch to it passed.  It
   must not return: its last act is coact__context_switch_final. */
typedef void coact__context_entry(void *arg, void *pass);

/* A context that will run entry(arg) on the stack [stack_low, stack_low +
   stack_bytes) when it is first resumed.  It writes to the stack's top only.
   Nothing is allocated.  At least 1 KiB; any alignment will do. */
void coact__context_make(struct coact__context *context, void *stack_low,
                         size_t stack_bytes, coact__context_entry *entry,
                         void *arg);

/* The context of the calling OS thread on its own stack, to be filled by the
   first switch away from it. */
void coact__context_init_thread(struct coact__context *context);

/* Forget a context: one that has ended, one that never ran, one that is to be
   abandoned where it stands, or a thread's.  Not the one that is running,
   except a thread's own on that thread. */
void coact__context_fini(struct coact__context *context);

/* It is resumed soon: have what lies on top of its stack come nearer.  A hint, also
   while it is not known to stand still. */
static inline void coact__context_fetch(const struct coact__context *context);

/* Is that the one place where unwind tables do not hold: within a switch, behind the
   push of the return address?  A walk over the stack from there reads what is no
   frame, and may fault.  from a signal handler, of the place it interrupted */
bool coact__context_is_leaving(uintptr_t pc);

/* The last switch of a coroutine.  `from` is never resumed; whoever runs next
   may end it with coact__context_fini and then reuse its stack. */
_Noreturn void coact__context_switch_final(struct coact__context *from,
                                           struct coact__context *to,
                                           void *pass);

/*
 * What crosses a switch, on the leaver's stack, and the jump itself: Boost's
 * object under another name.  Whoever wakes up writes the leaver's place into
 * the leaver's context, first of all.
 */
struct coact__handoff {
    struct coact__context *from;
    struct coact__context *to;
    void *pass;
};

struct coact__transfer {
    void *fcontext;
    void *data; /* a handoff */
};

/*
 * A function that waits is called by one coroutine and returns to another, as the
 * processor sees it: the `ret` behind a switch is predicted by the call of who
 * was left.  That is right if both called from the same place, and else costs
 * some 25 cycles.  So who finds that they did not returns by a jump, for which
 * there is a history.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&         \
    !defined(__code_model_large__) && !COACT__ASAN && !COACT__TSAN
#define COACT__RETURNS_BY_JUMP __attribute__((function_return("thunk-extern")))
#else
#define COACT__RETURNS_BY_JUMP
#endif

__attribute__((visibility("hidden"))) struct coact__transfer
coact__jump_fcontext(void *to, void *data);

static inline void
coact__context_fetch(const struct coact__context *context)
{
#if COACT__TSAN
    (void)context; // another may be leaving it: a race, if a harmless one
#else
    const char *top = context->fcontext;
    __builtin_prefetch(top, 1);
    __builtin_prefetch(top + 64, 1);
#endif
}

/* Leave `from`, which must be the running context, and resume `to`, where this
   call's `pass` is what coact__context_switch returns.  Returns when somebody
   resumes `from`, with what that one passed. */
#if COACT__ASAN || COACT__TSAN
void *coact__context_switch(struct coact__context *from,
                            struct coact__context *to, void *pass);
#else
/*
 * The processor predicts each return by the call before it, and fcontext leaves by
 * a jump: what it was called with is never returned to, and from then on each
 * prediction is one off.  So on x86-64 we jump to it with a return address that
 * we have pushed ourselves, and callers are inline up to where the actor's code
 * calls us.  Without it a message costs two mispredictions more.  The library is
 * compiled without a red zone, which the push would destroy.  The tables cannot be
 * told of the push, since we do not know by which register they go: see
 * coact__context_is_leaving.
 */
static inline struct coact__transfer
coact__context_jump(void *to, void *data)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    struct coact__transfer back;
    __asm__ volatile(
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "jmp coact__jump_fcontext\n"
        "1:"
        : "=a"(back.fcontext), "=d"(back.data), "+D"(to), "+S"(data)
        :
        : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
          "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
          "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
    return back;
#else
    return coact__jump_fcontext(to, data);
#endif
}

/* Inline, see above. */
static inline void *
coact__context_switch(struct coact__context *from, struct coact__context *to,
                      void *pass)
{
    coact__held_check("a switch");
    struct coact__handoff leave = {from, to, pass};
    struct coact__transfer back = coact__context_jump(to->fcontext, &leave);
    const struct coact__handoff *arrive = back.data;
    arrive->from->fcontext = back.fcontext;
    return arrive->pass;
}
#endif

#endif
