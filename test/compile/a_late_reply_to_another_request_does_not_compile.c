/* expects: struct (balance|price) */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int answer(struct balance *kept);

int
answer(struct balance *kept)
{
#if WRONG
    return coact_reply_to(price, kept, .cents = 5);
#else
    return coact_reply_to(balance, kept, .cents = 5);
#endif
}
