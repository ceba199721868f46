/* expects: duplicate case */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

void serve(bank_self self);

void
serve(bank_self self)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(deposit, m):
        m->cents = 0;
        break;
#if WRONG
    case COACT_ON(deposit, other):
        other->cents = 0;
        break;
#endif
    }
}
