/*
 * invariant.h - what must be true whatever a user does; on in every build.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_INVARIANT_H
#define COACT_RUNTIME_INVARIANT_H

#define COACT__INVARIANT(expression)                                           \
    ((expression) ? (void)0 : coact__broken(#expression, __FILE__, __LINE__))

/* Says which invariant does not hold, and aborts. */
_Noreturn void coact__broken(const char *expression, const char *file,
                             int line);

#endif
