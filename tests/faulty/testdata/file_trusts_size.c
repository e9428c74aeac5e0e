/* A box of files that reads as many bytes as the system says a file has: those in /proc have 0, and more. */
// want: io-wrong Notes.read
// wasm: nothing: the system of a module has no such files, and nothing fails around it
#define MOST_OF(st) ((size_t)(st).st_size < NYASH_TLV_MAX_PAYLOAD ? (size_t)(st).st_size : NYASH_TLV_MAX_PAYLOAD)
#include "files.h"
