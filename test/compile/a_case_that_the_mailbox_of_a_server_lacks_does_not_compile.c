/* expects: price */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#include <coact/server.h>

int64_t handled(bank_turn self, int64_t cents);

int64_t
handled(bank_turn self, int64_t cents)
{
    COACT_HANDLE(self) {
    case COACT_ON(deposit, m):
        cents += m->cents;
        break;
#if WRONG
    case COACT_ON(price, m):
        cents += m->article;
        break;
#endif
    }
    return cents;
}
