/*
 * process_program.h - what the test binary does when it is its own child.
 *
 * The bootstrap is text: a verb, a space, the rest.
 *   echo REST       send REST back in pieces, then every message; end at "quit"
 *   exit N          return N from main
 *   signal N        die of signal N
 *   burst N HOW     send N numbered messages, then exit 0 or be "killed"
 *   facts           send what /proc knows of us, and argv
 *   idle            say "ready", never listen
 *   spin untied     block all signals, drop the parent-death signal, say
 *                   "ready", loop for ever
 *   deaf            say "ready", close the socket, stay
 *   parent REST     start a child with REST; tell its pid when it is ready
 *
 * With COACT_TEST_NEVER_OPENS in the environment it loops before it opens.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_PROCESS_PROGRAM_H
#define COACT_TEST_PROCESS_PROGRAM_H

/* The result is main's. */
int process_program(char **argv);

#endif
