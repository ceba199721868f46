/*
 * codec.h - messages to bytes and back, by their descriptors.
 *
 * The bytes are the Protocol Buffers encoding (proto3): docs/wire.md, section
 * Messages, says which kind becomes what.  A program in another language that
 * has the printed .proto file reads and writes the same.
 *
 * Encoding allocates nothing and writes once, front to back: the sender tries
 * its open frame, and only if that has no room it asks for the size and opens
 * another.  Decoding trusts nothing: every length is checked against what is
 * there before memory is asked for.
 *
 * What encodes decodes: the limits are the same on both sides, so that a sender
 * hears of a message that no receiver would take.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAILBOX_CODEC_H
#define COACT_MAILBOX_CODEC_H

#include <coact/message.h>

#include <stddef.h>
#include <stdint.h>

/* The largest encoded message; protobuf's own limit. */
#define COACT__CODEC_BYTES_MAX ((size_t)INT32_MAX)

/*
 * Memory that a decoded message may own: this much for each byte on the wire,
 * and a little for short ones.  Without it, two bytes for each empty item of a
 * list would buy a whole struct each.
 */
#define COACT__CODEC_MEMORY_FACTOR 64
#define COACT__CODEC_MEMORY_FREE ((size_t)65536)

/* The bytes that coact__codec_encode will write, if it succeeds. */
size_t coact__codec_size(const struct coact_type *type, const void *payload);

/*
 * Write the message to buf.  The result is the number of bytes, which may be 0,
 * or
 *   -EOVERFLOW  it does not fit into room
 *   -ENOMEM     a text, bytes or list in it did not get its memory
 *   -EINVAL     a text is not UTF-8, messages nest too deep, or it would own
 *               more memory than a receiver grants
 *   -ENOTSUP    it is local, or holds one that is
 * On failure what is in buf is undefined, but nothing beyond room is touched.
 */
ptrdiff_t coact__codec_encode(const struct coact_type *type,
                              const void *payload, uint8_t *buf, size_t room);

/*
 * Fill *payload, which is not read, from bytes.  What it owns is destroyed with
 * coact__type_destroy.  *unknown_fields, if not NULL, is increased by the
 * number of fields that were skipped since the type has none with that number
 * and encoding.  The result is 0, or
 *   -EBADMSG    not an encoding of this type
 *   -EOVERFLOW  it would own more memory than COACT__CODEC_MEMORY_FACTOR grants
 *   -ENOMEM     no memory
 *   -ENOTSUP    the type is local
 * and then *payload is all zero and owns nothing.
 */
int coact__codec_decode(struct coact_type *type, const void *bytes,
                        size_t length, void *payload, uint64_t *unknown_fields);

#endif
