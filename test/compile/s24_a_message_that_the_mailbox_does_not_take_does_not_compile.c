/* expects: no member named .price */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int buy_at(bank_ref bank);

int
buy_at(bank_ref bank)
{
#if WRONG
    return coact_send(bank, price, .article = 7);
#else
    return coact_send(bank, deposit, .account = 7, .cents = 500);
#endif
}
