/* expects: coact_no_reply|incomplete type */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

void serve(bank_self self);

void
serve(bank_self self)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
#if WRONG
    case COACT_ON(deposit, m):
#else
    case COACT_ON(balance, m):
#endif
        coact_reply(m, .cents = (int64_t)m->account);
        break;
    }
}
