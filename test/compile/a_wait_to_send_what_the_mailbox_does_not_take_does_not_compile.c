/* expects: no member named .price */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int press(bank_ref bank);

int
press(bank_ref bank)
{
#if WRONG
    return coact_send_wait(bank, COACT_FOREVER, price, .article = 7);
#else
    return coact_send_wait(bank, COACT_FOREVER, deposit, .account = 7);
#endif
}
