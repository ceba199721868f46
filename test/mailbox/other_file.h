/*
 * other_file.h - a second source file that knows the messages of messages.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_OTHER_FILE_H
#define COACT_TEST_OTHER_FILE_H

struct coact_type;

/* That file's descriptor of struct tree. */
struct coact_type *other_file_tree(void);

#endif
