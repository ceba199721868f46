/*
 * node_names.h - the questions that a node answers itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_NODE_NAMES_H
#define COACT_ACTORS_NODE_NAMES_H

#include "actors/life.h"

/* What may be sent to the slot COACT__NODE_SLOT. */
const struct coact_mailbox *coact__node_mailbox(void);

/* Answer such a message; taken. */
void coact__node_question(struct coact_runtime *runtime,
                          struct coact__envelope *envelope);

#endif
