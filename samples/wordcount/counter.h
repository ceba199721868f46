/*
 * counter.h - the actor that counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_COUNTER_H
#define WORDCOUNT_COUNTER_H

#include "messages.h"

/* Its argument is a struct post. */
void counter_body(counter_self self, void *arg);

#endif
