/*
 * context_aarch64.S - the first frame of every coroutine.
 *
 * It exists for those who walk the stack: debuggers, profilers, backtrace(3).
 * Below it lies whatever the stack held before.  So the return address is
 * declared undefined, which is how unwind tables say "nobody called this", and
 * frame pointer and link register are zero, which says the same to those who
 * follow frames.
 *
 * fcontext branches here as if by a call: the two words of its transfer are in
 * the first two argument registers and pass through untouched.
 *
 * SPDX-License-Identifier: MIT
 */
    .text
    .globl  coact__context_start
    .hidden coact__context_start
    .hidden coact__context_main
    .type   coact__context_start, %function
    .p2align 4
coact__context_start:
    .cfi_startproc
    .cfi_undefined x30
    .cfi_undefined x29
    hint    #34                     /* bti c */
    mov     x29, xzr
    mov     x30, xzr
    bl      coact__context_main
    /* It does not return. */
    brk     #1
    .cfi_endproc
    .size   coact__context_start, . - coact__context_start

    .section .note.GNU-stack, "", %progbits
