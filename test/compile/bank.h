/*
 * bank.h - a bank and a shop, whose mailboxes the programs here get wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_COMPILE_BANK_H
#define COACT_TEST_COMPILE_BANK_H

#include <coact/actor.h>

struct deposit {
    uint64_t account;
    int64_t cents;
};
struct balance {
    uint64_t account;
};
struct balance_is {
    int64_t cents;
};
struct price {
    uint32_t article;
};
struct price_is {
    int64_t cents;
};

COACT_MESSAGE(deposit, (1, account), (2, cents));
COACT_MESSAGE(balance_is, (1, cents));
COACT_REQUEST(balance, balance_is, (1, account));
COACT_MESSAGE(price_is, (1, cents));
COACT_REQUEST(price, price_is, (1, article));

COACT_MAILBOX(bank, deposit, balance);
COACT_MAILBOX(shop, price, deposit);

#endif
