/*
 * crypto.h - the five things that the transport asks of libsodium.
 *
 * One suite, nothing negotiated: BLAKE2b-256 for hashes and MACs, X25519 for
 * fresh keys, ChaCha20-Poly1305 (IETF) for sealing.  The cluster's secret of 32
 * bytes proves membership; it never seals anything itself.  All randomness is
 * the oracle's, so that a simulation has the same keys each time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_CRYPTO_H
#define COACT_RUNTIME_TRANSPORT_CRYPTO_H

#include "runtime/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COACT__KEY_BYTES 32u
#define COACT__HASH_BYTES 32u
#define COACT__SEAL_BYTES 16u /* what sealing adds */

/* What is derived from the cluster's secret. */
struct coact__keys {
    uint8_t mac[COACT__KEY_BYTES];  /* authenticates handshake frames */
    uint8_t root[COACT__KEY_BYTES]; /* goes into every session's keys */
};

struct coact__keypair {
    uint8_t open[COACT__KEY_BYTES];
    uint8_t secret[COACT__KEY_BYTES];
};

/* Once before all else, as often as one likes; -EIO if libsodium refuses. */
COACT_CHECKED int coact__crypto_start(void);

/* Overwrite; the compiler may not leave it out. */
void coact__crypto_wipe(void *bytes, size_t len);

void coact__crypto_derive(struct coact__keys *keys,
                          const uint8_t secret[COACT__KEY_BYTES]);

void coact__crypto_hash(const void *bytes, size_t len,
                        uint8_t out[COACT__HASH_BYTES]);
void coact__crypto_mac(const struct coact__keys *keys, const void *bytes,
                       size_t len, uint8_t out[COACT__HASH_BYTES]);

/* In constant time. */
bool coact__crypto_equal(const uint8_t a[COACT__HASH_BYTES],
                         const uint8_t b[COACT__HASH_BYTES]);

void coact__crypto_keypair(struct coact__keypair *pair);

/* Both directions' keys from our pair, their half, and the hashes of the two
   frames that carried them.  -EPROTO if their half is one of the few points
   that give everybody the same secret. */
COACT_CHECKED int coact__crypto_session(const struct coact__keys *keys,
                                        bool is_initiator,
                                        const struct coact__keypair *ours,
                                        const uint8_t theirs[COACT__KEY_BYTES],
                                        const uint8_t hash1[COACT__HASH_BYTES],
                                        const uint8_t hash2[COACT__HASH_BYTES],
                                        uint8_t tx[COACT__KEY_BYTES],
                                        uint8_t rx[COACT__KEY_BYTES]);

/* out gets len + COACT__SEAL_BYTES and may be plain itself.  A (key, seq) pair
   must never seal twice. */
void coact__crypto_seal(uint8_t *out, const uint8_t *plain, size_t len,
                        const uint8_t *header, size_t header_len, uint64_t seq,
                        const uint8_t key[COACT__KEY_BYTES]);

/* Opens in place; len counts the seal.  False: not sealed with this. */
COACT_CHECKED bool coact__crypto_open(uint8_t *sealed, size_t len,
                                      const uint8_t *header, size_t header_len,
                                      uint64_t seq,
                                      const uint8_t key[COACT__KEY_BYTES]);

/* Read a key file: 64 hexadecimal digits and a newline.  error, if not NULL,
   gets a sentence.
   from host, waits no, fails EACCES (group or others may read it) EBADMSG and
   what open says */
COACT_CHECKED int coact__key_load(const char *path,
                                  uint8_t key[COACT__KEY_BYTES], char *error,
                                  size_t error_bytes);

/* Make a new key file that only its owner may read.
   from host, waits no, fails EEXIST and what open and write say */
COACT_CHECKED int coact__key_create(const char *path, char *error,
                                    size_t error_bytes);

#endif
