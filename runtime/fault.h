/*
 * fault.h - the place that a signal has interrupted, and how to leave it.
 *
 * A signal handler is shown the registers of what it interrupted, and they are
 * loaded again when it returns.  Who writes others there makes the thread go on
 * elsewhere, with the signal mask and the alternate stack in order again, which
 * a jump out of the handler would not do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_FAULT_H
#define COACT_RUNTIME_FAULT_H

#include <stdint.h>
#include <ucontext.h>

/* Where a diverted thread goes on: a call of it that has no caller. */
typedef void coact__fault_goal(void *arg, uintptr_t word);

#if defined(__x86_64__)
#define COACT__CAN_DIVERT 1

static inline uintptr_t
coact__fault_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t
coact__fault_sp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

/* On returning from the handler, call goal(arg, word) on the stack that ends at
   `top`.  Writes one word there. */
static inline void
coact__fault_divert(ucontext_t *context, uintptr_t top, coact__fault_goal *goal,
                    void *arg, uintptr_t word)
{
    enum { DIRECTION_FLAG = 1 << 10 };
    uintptr_t sp = (top & ~(uintptr_t)15) - sizeof(uintptr_t);
    *(uintptr_t *)sp = 0; // nobody called it, for those who walk the stack
    greg_t *registers = context->uc_mcontext.gregs;
    registers[REG_RIP] = (greg_t)(uintptr_t)goal;
    registers[REG_RSP] = (greg_t)sp;
    registers[REG_RBP] = 0;
    registers[REG_RDI] = (greg_t)(uintptr_t)arg;
    registers[REG_RSI] = (greg_t)word;
    // A copy that was going backwards must not make all others do so.
    registers[REG_EFL] &= ~(greg_t)DIRECTION_FLAG;
}

/* First of all on the new side: the calling convention wants the eight x87
   registers empty, and the code that was left may have been using them. */
static inline void
coact__fault_begin(void)
{
    __asm__ volatile("emms");
}

#elif defined(__aarch64__)
#define COACT__CAN_DIVERT 1

static inline uintptr_t
coact__fault_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static inline uintptr_t
coact__fault_sp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static inline void
coact__fault_divert(ucontext_t *context, uintptr_t top, coact__fault_goal *goal,
                    void *arg, uintptr_t word)
{
    enum { FRAME_POINTER = 29, LINK = 30 };
    mcontext_t *machine = &context->uc_mcontext;
    machine->pc = (uintptr_t)goal;
    machine->sp = top & ~(uintptr_t)15;
    machine->regs[0] = (uintptr_t)arg;
    machine->regs[1] = word;
    machine->regs[FRAME_POINTER] = 0;
    machine->regs[LINK] = 0;
}

static inline void
coact__fault_begin(void)
{
}

#else
#define COACT__CAN_DIVERT 0

static inline uintptr_t
coact__fault_pc(const ucontext_t *context)
{
    (void)context;
    return 0;
}

static inline uintptr_t
coact__fault_sp(const ucontext_t *context)
{
    (void)context;
    return 0;
}

static inline void
coact__fault_divert(ucontext_t *context, uintptr_t top, coact__fault_goal *goal,
                    void *arg, uintptr_t word)
{
    (void)context, (void)top, (void)goal, (void)arg, (void)word;
}

static inline void
coact__fault_begin(void)
{
}
#endif

#endif
