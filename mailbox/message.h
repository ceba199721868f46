/*
 * message.h - what travels between actors: plain structs, and one line that
 * says how each crosses to another machine.
 *
 *   struct deposit { uint64_t account; int64_t cents; };
 *   COACT_MESSAGE(deposit, (1, account), (2, cents));
 *
 * Inside one process a message is its struct and nothing else: it is handed
 * over, not encoded.  To another node it goes in the Protocol Buffers encoding,
 * and the numbers are all that the other side sees of the fields.  So a member
 * may be renamed and moved, fields may be added and dropped, old and new
 * programs understand each other; but a number, once used, keeps its meaning
 * and its kind for ever.
 *
 * What a field can be.  The type of the member says it, or a third element:
 *   (1, account)              bool, (u)int8_t … (u)int64_t, float, double
 *   (2, color, ENUM)          an enum.  Without ENUM it is sent as the integer
 *                             that the compiler chose for it, which changes
 *                             when a negative constant is added
 *   (3, title, TEXT)          coact_text: UTF-8.  TEXT may be left out
 *   (4, photo, BYTES)         coact_bytes.  BYTES may be left out
 *   (5, author, REF)          coact_ref (REF may be left out), or a typed one
 *   (6, home, NESTED, place)  struct place, declared before as a message
 *   (7, scores, REPEATED)     COACT_REPEATED(int32_t) scores: many of what can
 *                             be said without a third element
 *   (8, rooms, REPEATED, room)  COACT_REPEATED(struct room): many messages; room
 *                             may be the message itself: a tree
 *   (9, team, REPEATED_REF) (10, palette, REPEATED_ENUM)
 * A field that is zero, empty or nobody is not sent: that is the value of a
 * field that the other side does not know.  A message has at most 40 fields,
 * and messages nest at most 16 deep.
 *
 * Who owns what.  Numbers and addresses are copied.  Texts, bytes and lists are
 * pointers, and belong to the struct that they are in: a message owns its tree
 * of them.  A send takes that tree, whether it succeeds or not: the struct that
 * was sent is only bytes afterwards, and its pointers must not be used, freed
 * or sent again.  Whoever receives a message may read it until its receive
 * block ends, and then the message is destroyed with all that it owns; take a
 * text out with coact_text_take to keep it.  A message that is dropped, expires
 * or finds nobody is destroyed too, on whatever thread that happens.
 *
 * Memory that ran out shows itself late, so that a send can be one line:
 *   coact_send(desk, rename, .title = coact_text_copy(name));
 * A text, bytes or list with a length but without data is one for which there
 * was no memory, and sending it fails with ENOMEM.
 *
 * A member that is not listed crosses inside a process as it is and is zero
 * after a way between nodes.  If it owns something, the message needs
 * COACT_MESSAGE_WITH_DESTRUCTOR.
 *
 * Every message's name is that of a struct, and is known to the whole cluster:
 * its id is a hash of the name.  The macros make declarations that are static,
 * so they can stand in headers; they are for C, from C++ use the functions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MESSAGE_H
#define COACT_MESSAGE_H

#include <coact/error.h>
#include <coact/ref.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coact/message_macros.h>

COACT_BEGIN_DECLS

/* UTF-8, owned by the struct that it is in.  data[bytes] is 0, and no byte
   before it needs to differ from 0.  Empty is {NULL, 0}. */
typedef struct coact_text {
    char *data;
    size_t bytes; /* without the final 0 */
} coact_text;

/* Any bytes, owned by the struct that they are in.  Empty is {NULL, 0}. */
typedef struct coact_bytes {
    uint8_t *data;
    size_t bytes;
} coact_bytes;

/* A member that is a list: COACT_REPEATED(int32_t) scores;  Empty is {NULL, 0}.
   Its data comes from coact_list_new and is owned by the struct. */
#define COACT_REPEATED(T)                                                      \
    struct {                                                                   \
        T *data;                                                               \
        size_t count;                                                          \
    }

/* How a field is encoded.  The integers are varints, the signed ones zigzag. */
enum coact_kind {
    COACT_KIND_NONE,
    COACT_KIND_BOOL,
    COACT_KIND_U8,
    COACT_KIND_U16,
    COACT_KIND_U32,
    COACT_KIND_U64,
    COACT_KIND_I8,
    COACT_KIND_I16,
    COACT_KIND_I32,
    COACT_KIND_I64,
    COACT_KIND_ENUM, /* 32 bits, signed, not zigzag: protobuf's enum */
    COACT_KIND_FLOAT,
    COACT_KIND_DOUBLE,
    COACT_KIND_TEXT,
    COACT_KIND_BYTES,
    COACT_KIND_REF,
    COACT_KIND_NESTED
};

/* One field of a message. */
struct coact_field {
    const char *name;
    struct coact_type *of; /* of NESTED: the message in there; else NULL */
    uint32_t number;
    uint32_t offset; /* of the member in the struct */
    uint8_t kind;    /* enum coact_kind */
    uint8_t repeated;
};

/* A message's descriptor.  The same message has one in each source file that
   knows it: compare ids, not addresses.  All but the last three members are
   constant; those are found out once, by whoever asks first (any thread: they
   are written with the same value, atomically). */
struct coact_type {
    const char *name;
    size_t size;
    size_t align;
    const struct coact_field *fields;
    size_t field_count;
    struct coact_type *reply;       /* what answers it, or NULL */
    void (*destroy)(void *message); /* the user's destructor, or NULL */
    bool local;                     /* never leaves its process */
    uint32_t facts;
    uint64_t id;
    uint64_t schema;
};

/* What COACT_MESSAGE says a message is answered by: nothing. */
struct coact_no_reply;

#ifndef __cplusplus

/* The descriptor of a message, by its name. */
#define COACT_TYPE(name) (&coact_type_##name)

/* A message: the name of a struct, and its fields. */
#define COACT_MESSAGE(name, ...)                                               \
    COACT__MESSAGE(name, 0, 0, __VA_ARGS__);                                   \
    typedef struct coact_no_reply coact_reply_of_##name

/* A message that is answered, the message that answers it, and its fields. */
#define COACT_REQUEST(name, answer, ...)                                       \
    COACT__MESSAGE(name, &coact_type_##answer, 0, __VA_ARGS__);                \
    typedef struct answer coact_reply_of_##name

/* A message without fields.  Declares its struct too, which C wants to have a
   member: it is never sent. */
#define COACT_SIGNAL(name)                                                     \
    struct name {                                                              \
        char unused;                                                           \
    };                                                                         \
    COACT__DESCRIPTOR(name, 0, 0, 0, 0, 0);                                    \
    typedef struct coact_no_reply coact_reply_of_##name

/* A request without fields.  Declares its struct too. */
#define COACT_SIGNAL_REQUEST(name, answer)                                     \
    struct name {                                                              \
        char unused;                                                           \
    };                                                                         \
    COACT__DESCRIPTOR(name, 0, 0, &coact_type_##answer, 0, 0);                 \
    typedef struct answer coact_reply_of_##name

/* A message with members that are not listed and own something.
   destructor(struct name *) is called once for each message that dies, before
   its listed fields are freed, on any thread; it leaves those alone and must
   not wait.  It has to bear members that are zero: that is what they are after
   a way between nodes, and in a copy. */
#define COACT_MESSAGE_WITH_DESTRUCTOR(name, destructor, ...)                   \
    COACT__DESTRUCTOR(name, destructor);                                       \
    COACT__MESSAGE(name, 0, coact__destroy_##name, __VA_ARGS__);               \
    typedef struct coact_no_reply coact_reply_of_##name

/* A message that makes sense in one process only: an open file, a pointer.  A
   send to another node fails with ENOTSUP, and so does a copy. */
#define COACT_LOCAL_MESSAGE(name, destructor)                                  \
    COACT__DESTRUCTOR(name, destructor);                                       \
    COACT__DESCRIPTOR(name, 0, 0, 0, coact__destroy_##name, 1);                \
    typedef struct coact_no_reply coact_reply_of_##name

#endif /* __cplusplus */

/* A text of its own with the same content.  text is read, and may be NULL: that
   is the empty text.  No memory: a text without data, see above.
   from any, waits no, fails never */
COACT_API coact_text coact_text_copy(const char *text);

/* The same for a text that does not end in 0, or that holds one.
   from any, waits no, fails never */
COACT_API coact_text coact_text_copy_n(const char *text, size_t bytes);

/* Free a text and make it empty.  Texts in messages are freed with these.
   from any, waits no, fails never */
COACT_API void coact_text_free(coact_text *text);

/* Bytes of their own with the same content.
   from any, waits no, fails never */
COACT_API coact_bytes coact_bytes_copy(const void *data, size_t bytes);

/* That many zero bytes, to be filled.
   from any, waits no, fails never */
COACT_API coact_bytes coact_bytes_new(size_t bytes);

/* Free bytes and make them empty.
   from any, waits no, fails never */
COACT_API void coact_bytes_free(coact_bytes *bytes);

/* Room for count items, all zero, for a COACT_REPEATED: set .data and .count.
   NULL if there is no memory, or count is 0.  Free with coact_list_free.
   from any, waits no, fails never */
COACT_API void *coact_list_new(size_t count, size_t item_bytes);

/* Free the room of a list, not what its items own; a list in a message is freed
   with it.  NULL is nothing to free.
   from any, waits no, fails never */
COACT_API void coact_list_free(void *data);

/* The content as C likes it: "" for the empty text.  Lent: it lives as long as
   the text.
   from any, waits no, fails never */
static inline const char *
coact_text_cstr(coact_text text)
{
    return text.data != NULL ? text.data : "";
}

/* Take a text out of a message to keep it: given, free it with coact_text_free.
   What stays in the message is the empty text.
   from any, waits no, fails never */
static inline coact_text
coact_text_take(coact_text *text)
{
    coact_text mine = *text;
    text->data = NULL;
    text->bytes = 0;
    return mine;
}

/* Take bytes out of a message to keep them: given, free them with
   coact_bytes_free.
   from any, waits no, fails never */
static inline coact_bytes
coact_bytes_take(coact_bytes *bytes)
{
    coact_bytes mine = *bytes;
    bytes->data = NULL;
    bytes->bytes = 0;
    return mine;
}

/* Destroy what a struct owns, such as an answer that coact_ask filled:
   coact_message_destroy(COACT_TYPE(balance_is), &is).  The struct is yours, and
   all zero afterwards.
   from any, waits no, fails never */
COACT_API void coact_message_destroy(struct coact_type *type, void *message);

/* Fill *copy with a message that equals *message and owns its own texts, bytes
   and lists.  Members that are not listed are copied as they are, or zero if
   the type has a destructor.  *copy is not read; it is all zero on failure.
   from any, waits no, fails ENOMEM ENOTSUP */
COACT_API COACT_CHECKED int coact_message_copy(struct coact_type *type,
                                               void *copy, const void *message);

/* Find the id below by hashing, and remember it in the descriptor.
   from any, waits no, fails never */
COACT_API uint64_t coact_type_find_id(struct coact_type *type);

/* The number that names the message to other nodes: FNV-1a, 64 bits, of its
   name.  Never 0.
   from any, waits no, fails never */
static inline uint64_t
coact_type_id(struct coact_type *type)
{
    // Relaxed: every thread finds the same number, and it guards no data.
    uint64_t id = __atomic_load_n(&type->id, __ATOMIC_RELAXED);
    return id != 0 ? id : coact_type_find_id(type);
}

/* A hash over the names, numbers and kinds of all fields, nested ones included:
   two nodes with the same hash need not expect unknown fields.  Never 0.
   from any, waits no, fails never */
COACT_API uint64_t coact_type_schema(struct coact_type *type);

/* Print a .proto file (proto3) with these messages, and those that they hold,
   so that programs in other languages can read and write them.  write gets the
   text in pieces, with the argument; what it returns, if not 0, ends the
   printing and is returned.  Two types that share a name but not their fields
   are EINVAL.
   from any, waits no, fails EINVAL ENOMEM and what write returns */
COACT_API COACT_CHECKED int coact_type_print_proto(
    struct coact_type *const *types, size_t count, const char *package,
    int (*write)(void *arg, const char *text, size_t bytes), void *arg);

COACT_END_DECLS

#endif
