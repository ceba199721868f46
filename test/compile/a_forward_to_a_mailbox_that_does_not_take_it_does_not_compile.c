/* expects: no member named .balance */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int pass_on(bank_ref bank, shop_ref shop, struct balance *m);

int
pass_on(bank_ref bank, shop_ref shop, struct balance *m)
{
    (void)bank, (void)shop;
#if WRONG
    return coact_forward(m, shop, balance);
#else
    return coact_forward(m, bank, balance);
#endif
}
