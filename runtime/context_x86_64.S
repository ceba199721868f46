/*
 * context_x86_64.S - the first frame of every coroutine.
 *
 * It exists for those who walk the stack: debuggers, profilers, backtrace(3).
 * Below it lies whatever the stack held before.  So the return address is
 * declared undefined, which is how unwind tables say "nobody called this", and
 * the frame pointer is zero, which says the same to those who follow frames.
 *
 * fcontext jumps here as if by a call: the two words of its transfer are in the
 * first two argument registers and pass through untouched.
 *
 * SPDX-License-Identifier: MIT
 */
    .text
    .globl  coact__context_start
    .hidden coact__context_start
    .hidden coact__context_main
    .type   coact__context_start, @function
    .p2align 4
coact__context_start:
    .cfi_startproc
    .cfi_undefined rip
    .cfi_undefined rbp
    endbr64
    xorl    %ebp, %ebp
    /* The ABI wants the stack pointer a multiple of 16 at a call. */
    andq    $-16, %rsp
    call    coact__context_main
    /* It does not return. */
    ud2
    .cfi_endproc
    .size   coact__context_start, . - coact__context_start

/*
 * What the compiler jumps to, in place of `ret`, at the end of a function with
 * COACT__RETURNS_BY_JUMP (context.h).  The address stays where it is for the one
 * instruction, in the 128 bytes below the stack that signals leave alone: thus the
 * unwind tables can tell where it is.  Weak: a program built with such thunks may
 * bring its own, which does.
 */
    .weak   __x86_return_thunk
    .hidden __x86_return_thunk
    .type   __x86_return_thunk, @function
    .p2align 4
__x86_return_thunk:
    .cfi_startproc
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    notrack jmp *-8(%rsp)
    .cfi_endproc
    .size   __x86_return_thunk, . - __x86_return_thunk

    .section .note.GNU-stack, "", @progbits
