/* A box of files that reads as many bytes as the system says a file has: those in /proc have 0, and more. */
// want: io-wrong Notes.read
// wasm: no module: it uses dup, which wasi lacks
#define MOST_OF(st) ((size_t)(st).st_size < NYASH_TLV_MAX_PAYLOAD ? (size_t)(st).st_size : NYASH_TLV_MAX_PAYLOAD)
#include "notes.h"
