/* expects: no member named .price */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

void serve(bank_self self);

void
serve(bank_self self)
{
#if WRONG
    COACT_RECEIVE_ONLY(self, COACT_FOREVER, deposit, price) {
#else
    COACT_RECEIVE_ONLY(self, COACT_FOREVER, deposit, coact_down) {
#endif
    case COACT_ON(deposit, m):
        m->cents = 0;
        break;
    }
}
