/*
 * here_aarch64.S - nothing: on this machine here.c defines the thread-local.
 *
 * SPDX-License-Identifier: MIT
 */
    .section .note.GNU-stack, "", %progbits
