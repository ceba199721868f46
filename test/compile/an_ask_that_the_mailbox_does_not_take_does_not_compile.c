/* expects: no member named .balance */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int look(bank_ref bank, shop_ref shop);

int
look(bank_ref bank, shop_ref shop)
{
    struct balance_is is;
    (void)bank, (void)shop;
#if WRONG
    return coact_ask(shop, balance, &is, COACT_FOREVER, .account = 7);
#else
    return coact_ask(bank, balance, &is, COACT_FOREVER, .account = 7);
#endif
}
