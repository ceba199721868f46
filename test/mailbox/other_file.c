/*
 * other_file.c - a second source file that knows the messages of messages.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/mailbox/other_file.h"

#include "test/mailbox/messages.h"

struct coact_type *
other_file_tree(void)
{
    return COACT_TYPE(tree);
}
