/* expects: no member named .account|designator .account */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

void serve(bank_self self);

void
serve(bank_self self)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(balance, m):
#if WRONG
        coact_reply(m, .account = m->account);
#else
        coact_reply(m, .cents = (int64_t)m->account);
#endif
        break;
    }
}
