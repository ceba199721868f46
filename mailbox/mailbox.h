/*
 * mailbox.h - what an actor takes, known to the compiler.
 *
 *   COACT_MAILBOX(bank, deposit, balance);
 *
 * makes four types and a descriptor: bank_ref, the address of an actor that
 * takes these messages; bank_self, what the body of such an actor gets;
 * bank_turn, what the handler of a server gets (server.h); and struct
 * bank_accepts, which is never read: its members are named after the
 * messages, so that a send of anything else names a member that is not there,
 * and does not compile.  A member's offset is also the number by which the
 * message is known inside the mailbox, so a receive is a switch over numbers.
 *
 * The names must be declared before by COACT_MESSAGE, COACT_SIGNAL or
 * COACT_REQUEST; a mailbox takes up to 40 of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAILBOX_H
#define COACT_MAILBOX_H

#include <coact/message.h>
#include <coact/ref.h>

#include <stdint.h>

COACT_BEGIN_DECLS

/* What every mailbox takes besides its own messages, and the two outcomes of a
   receive that are no message.  The numbers are offsets in any accepts struct. */
struct coact_accepts_always {
    char coact_down;      /* an actor that we monitor has ended */
    char coact_exit;      /* an actor that we are linked to has; we trap */
    char coact_tick;      /* a timer of ours */
    char coact_timeout;   /* the deadline of the receive passed */
    char coact_cancelled; /* we are asked to end */
    char coact_spare[11];
};

struct coact_receipt;

#define COACT__FIRST_MESSAGE 16 /* sizeof(struct coact_accepts_always) */

/* A mailbox, for the runtime.  Made by COACT_MAILBOX; compared by its name and
   the names of its messages, so that several files may declare the same. */
struct coact_mailbox {
    const char *name;
    struct coact_type *const *types; /* in order of declaration */
    uint32_t type_count;
    void (*enter)(void (*body)(void), coact_ref self, void *arg);
    void (*handle)(void (*handler)(void), coact_ref self,
                   struct coact_receipt *at_hand, void *state);
};

#define COACT_MAILBOX(name, ...)                                               \
    COACT_ADDRESS(name);                                                       \
    COACT_MAILBOX_OF(name, __VA_ARGS__)

/* The address alone, where a message of the mailbox is to hold one: first
   COACT_ADDRESS(node), then the messages, then COACT_MAILBOX_OF(node, ...). */
#define COACT_ADDRESS(name)                                                    \
    struct name##_accepts;                                                     \
    typedef union name##_ref {                                                 \
        coact_ref ref;                                                         \
        const struct name##_accepts *accepts;                                  \
    } name##_ref

// It would take the macro apart.
// clang-format off
#define COACT_MAILBOX_OF(name, ...)                                            \
    struct name##_accepts {                                                    \
        char coact_down, coact_exit, coact_tick, coact_timeout;                \
        char coact_cancelled, coact_spare[11];                                 \
        char __VA_ARGS__;                                                      \
    };                                                                         \
    typedef struct name##_self {                                               \
        coact_ref ref;                                                         \
        const struct name##_accepts *accepts;                                  \
    } name##_self;                                                             \
    typedef struct name##_turn {                                               \
        coact_ref ref;                                                         \
        const struct name##_accepts *accepts;                                  \
        struct coact_receipt *at_hand;                                         \
    } name##_turn;                                                             \
    typedef void name##_coact_handler(name##_turn self, void *state);          \
    __attribute__((unused)) static void name##_coact_handle(                   \
        void (*handler)(void), coact_ref self, struct coact_receipt *at_hand,  \
        void *state)                                                           \
    {                                                                          \
        name##_turn typed = {self, 0, at_hand};                                \
        ((name##_coact_handler *)handler)(typed, state);                       \
    }                                                                          \
    typedef void name##_coact_body(name##_self self, void *arg);               \
    __attribute__((unused)) static void name##_coact_enter(                    \
        void (*body)(void), coact_ref self, void *arg)                         \
    {                                                                          \
        name##_self typed = {self, 0};                                         \
        ((name##_coact_body *)body)(typed, arg);                               \
    }                                                                          \
    __attribute__((unused)) static struct coact_type                           \
        *const name##_coact_types[] = {COACT__TYPES(__VA_ARGS__)};             \
    __attribute__((unused)) static const struct coact_mailbox                  \
        name##_coact_mailbox = {                                               \
            #name, name##_coact_types,                                         \
            sizeof(name##_coact_types) / sizeof(name##_coact_types[0]),        \
            name##_coact_enter, name##_coact_handle};                          \
    typedef char name##_coact_end[1]
// clang-format on

#define COACT__TYPES(...) COACT__EACH(COACT__TYPE_OF, ~, __VA_ARGS__)
#define COACT__TYPE_OF(n, message) &coact_type_##message,

/* A function as a body of this mailbox, or it does not compile. */
#define COACT__BODY(name, body)                                                \
    (void (*)(void)) _Generic(&*(body), name##_coact_body * : (body))

/* The same for a handler. */
#define COACT__HANDLER(name, handler)                                          \
    (void (*)(void)) _Generic(&*(handler), name##_coact_handler * : (handler))

/* The number of a message in the mailbox behind an address or a self.  Does not
   compile if that mailbox does not take it. */
#define COACT__NUMBER(to, message)                                             \
    ((uint32_t)(sizeof((to).accepts->message) - 1 +                            \
                __builtin_offsetof(__typeof__(*(to).accepts), message)))

#define COACT__NUMBERS(to, ...) COACT__EACH(COACT__NUMBER_OF, to, __VA_ARGS__)
#define COACT__NUMBER_OF(to, message) COACT__NUMBER(to, message),

COACT_END_DECLS

#endif
