/*
 * random_message.h - a message of any type, made from a seed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_RANDOM_MESSAGE_H
#define COACT_TEST_RANDOM_MESSAGE_H

#include <coact/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next number of a sequence that *state decides. */
uint64_t random_next(uint64_t *state);

/* Fill *message; destroy it with coact__type_destroy.  Lists and texts are
   short, and often empty; numbers are often at a boundary.  False if there was
   no memory, and then it owns nothing. */
bool random_message(struct coact_type *type, void *message, uint64_t *state);

#endif
