/*
 * here_x86_64.S - the one thread-local, for here.h.
 *
 * It stands here, and not in C, because the assembly of here.h names it: a
 * compiler that optimises the library as a whole would see nobody else use it.
 * All zero at a thread's start.
 *
 * SPDX-License-Identifier: MIT
 */
    .section .tbss, "awT", @nobits
    .globl  coact__tls
    .hidden coact__tls
    .type   coact__tls, @object
    .p2align 4
coact__tls:
    .zero   128
    .size   coact__tls, 128

    .section .note.GNU-stack, "", @progbits
