/*
 * nyash_plugin.h: the one file that a Nyash plugin written in C or C++ needs.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * A plugin is a shared library that defines the four functions declared at
 * the end of this file, or exports a table for each of its boxes
 * (NyashTypeBox), or both. The host calls the functions in this order:
 *
 *     nyash_plugin_abi -> nyash_plugin_init -> nyash_plugin_invoke ...
 *                      -> nyash_plugin_shutdown
 *
 * Clean as C99 and as C++11 with -Wall -Wextra -Wpedantic.
 */
#ifndef NYASH_PLUGIN_H
#define NYASH_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#ifdef __wasm__
#include <stdlib.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Puts a symbol into the library's export table, also where the rest is built
 * with -fvisibility=hidden. */
#if defined(_WIN32)
#define NYASH_EXPORT __declspec(dllexport)
#elif defined(__GNUC__) || defined(__clang__)
#define NYASH_EXPORT __attribute__((visibility("default")))
#else
#define NYASH_EXPORT
#endif

/* What nyash_plugin_abi returns for BID-1. */
#define NYASH_ABI_VERSION UINT32_C(1)

/* Method ids with a fixed meaning in every box. */
#define NYASH_METHOD_BIRTH UINT32_C(0)          /* make an instance */
#define NYASH_METHOD_FINI UINT32_C(4294967295)  /* end an instance */

/* Codes that nyash_plugin_init and nyash_plugin_invoke return. Any other value
 * than 0 counts as a plugin error, and its number is reported. */
enum {
    NYASH_OK = 0,
    NYASH_E_SHORT_BUFFER = -1,   /* *result_len now says how much is needed */
    NYASH_E_INVALID_TYPE = -2,   /* no such type_id here */
    NYASH_E_INVALID_METHOD = -3, /* no such method_id in this type */
    NYASH_E_INVALID_ARGS = -4,   /* the arguments do not fit the method */
    NYASH_E_PLUGIN = -5,         /* the operation failed */
    NYASH_E_OUT_OF_MEMORY = -6,
    NYASH_E_INVALID_UTF8 = -7,
    NYASH_E_INVALID_HANDLE = -8, /* no such instance_id */
    NYASH_E_VERSION = -9,
    NYASH_E_NOT_PERMITTED = -10  /* nyash.toml does not let the caller do it */
};

/* Levels for NyashHostVtable.log. */
enum {
    NYASH_LOG_DEBUG = 0,
    NYASH_LOG_INFO = 1,
    NYASH_LOG_WARN = 2,
    NYASH_LOG_ERROR = 3
};

/* BID-1 TLV. A message is a header (u16 version, u16 argc) and argc entries
 * (u8 tag, u8 reserved = 0, u16 size, payload), all little-endian. */
#define NYASH_TLV_VERSION 1
#define NYASH_TLV_HEADER_SIZE 4
#define NYASH_TLV_ENTRY_SIZE 4
#define NYASH_TLV_MAX_PAYLOAD 65535

enum {
    NYASH_TAG_BOOL = 1,    /* 1 byte, 0 or 1 */
    NYASH_TAG_I32 = 2,     /* 4 bytes */
    NYASH_TAG_I64 = 3,     /* 8 bytes */
    NYASH_TAG_F32 = 4,     /* 4 bytes, IEEE 754 */
    NYASH_TAG_F64 = 5,     /* 8 bytes, IEEE 754 */
    NYASH_TAG_STRING = 6,  /* UTF-8, no terminating NUL */
    NYASH_TAG_BYTES = 7,   /* anything */
    NYASH_TAG_HANDLE = 8,  /* u32 type_id, u32 instance_id */
    NYASH_TAG_VOID = 9,    /* empty */
    NYASH_TAG_BLOB = 10    /* u64 address, u64 length; only where declared */
};

/* What the host offers. The table and the functions in it stay valid until
 * the process ends: a plugin may keep the pointer and call through it from any
 * of its threads at any time, also while and after nyash_plugin_shutdown. */
typedef struct NyashHostVtable {
    /* Memory of the host, or NULL. Give it back with free below and with
     * nothing else. alloc(0) is harmless. */
    uint8_t *(*alloc)(size_t size);
    /* Takes what alloc returned, or NULL. */
    void (*free)(uint8_t *ptr);
    /* Delivers a number of the plugin's choosing to the host program. */
    void (*wake)(uint64_t handle);
    /* A line for the host's log. msg is UTF-8, ends in NUL and is copied
     * before log returns. */
    void (*log)(int32_t level, const char *msg);
} NyashHostVtable;

typedef struct NyashMethodInfo {
    uint32_t method_id;
    const char *name;   /* UTF-8, ends in NUL */
    uint32_t signature; /* of the plugin's choosing; 0 if it has none */
} NyashMethodInfo;

/* Filled in by nyash_plugin_init. The host zeroes it first and copies all it
 * points at before it makes any other call. */
typedef struct NyashPluginInfo {
    uint32_t type_id;
    const char *type_name; /* UTF-8, ends in NUL */
    size_t method_count;
    const NyashMethodInfo *methods;
} NyashPluginInfo;

/* The ABI version that the plugin was built for: NYASH_ABI_VERSION. */
NYASH_EXPORT uint32_t nyash_plugin_abi(void);

/* One-time set-up and self-description. On anything but NYASH_OK the host
 * gives up on the library and does not call nyash_plugin_shutdown. */
NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *host,
                                       NyashPluginInfo *info);

/* Calls one method.
 *
 * args holds args_len bytes of TLV. *result_len is the capacity of result on
 * entry; on NYASH_OK it must be the number of bytes written. If the capacity
 * is too small, set *result_len to what is needed, return
 * NYASH_E_SHORT_BUFFER and do nothing else: the host calls again. On any other
 * code the plugin may write a TLV of one String, the reason, into result.
 *
 * NYASH_METHOD_BIRTH comes with instance_id 0 and answers the new instance's
 * id, not 0, as a raw little-endian u32. args and result belong to the host
 * and are gone when the function returns. May run on several threads at once
 * unless nyash.toml says otherwise. */
NYASH_EXPORT int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id,
                                         uint32_t instance_id,
                                         const uint8_t *args, size_t args_len,
                                         uint8_t *result, size_t *result_len);

/* Releases everything. */
NYASH_EXPORT void nyash_plugin_shutdown(void);

/* One call of a batch: the arguments of nyash_plugin_invoke, and its answer. */
typedef struct NyashCall {
    uint32_t type_id;
    uint32_t method_id;
    uint32_t instance_id;
    int32_t code;        /* out: what nyash_plugin_invoke would return */
    const uint8_t *args;
    size_t args_len;
    uint8_t *result;
    size_t result_len;   /* in: the capacity; out: as in nyash_plugin_invoke */
} NyashCall;

/* Optional. Makes calls[0] to calls[count - 1] in order, each as
 * nyash_plugin_invoke would, whatever the others answer, except that it stops
 * behind a call that answers NYASH_E_SHORT_BUFFER. Returns how many calls were
 * made, that one included. A plugin that gains nothing from a loop of its own
 * writes the one line NYASH_DEFINE_INVOKE_BATCH, without a semicolon, behind
 * its nyash_plugin_invoke. */
NYASH_EXPORT size_t nyash_plugin_invoke_batch(NyashCall *calls, size_t count);

/* A table of one box: a library may export one for each of its boxes, as a data
 * symbol nyash_typebox_<BoxName>, instead of or beside nyash_plugin_invoke. */
typedef struct NyashTypeBox {
    uint32_t abi_tag;     /* NYASH_TYPEBOX_TAG */
    uint16_t version;     /* NYASH_TYPEBOX_VERSION */
    uint16_t struct_size; /* sizeof(NyashTypeBox): fields past it are not read */
    const char *name;     /* the box's name */
    /* Answers a method's id, 0 for a name that it does not know; may be NULL. */
    uint32_t (*resolve)(const char *method_name);
    /* As nyash_plugin_invoke, without the type. */
    int32_t (*invoke_id)(uint32_t instance_id, uint32_t method_id,
                         const uint8_t *args, size_t args_len,
                         uint8_t *result, size_t *result_len);
    uint64_t capabilities; /* 0 */
} NyashTypeBox;

#define NYASH_TYPEBOX_TAG UINT32_C(0x54594258) /* "TYBX" */
#define NYASH_TYPEBOX_VERSION 1

/* Optional: describes the boxes of the library, as UTF-8 text of at most 1 MiB
 * that is valid until nyash_plugin_shutdown: a [plugins.Box] table for each, as
 * in nyash.toml. A host calls it after nyash_plugin_abi and before
 * nyash_plugin_init, from any thread. */
NYASH_EXPORT const char *nyash_plugin_config(void);

/* What a library calls its host with. It lives as long as the process; both
 * functions may be called from any thread, also one of the library's own. The
 * host answers as a plugin does, with the same codes, TLV and messages, and
 * what may be called is what "uses" lists in nyash.toml. */
typedef struct NyashHostCalls {
    uint32_t struct_size; /* fields past it are not there */
    uint32_t version;     /* NYASH_HOST_CALLS_VERSION */
    /* Finds the ids of a method of a box, by the names of nyash.toml; the names
     * "birth" and "fini" are known for each box. The ids are for this library
     * alone, and good as long as it is loaded. */
    int32_t (*resolve)(const char *box, const char *method, uint32_t *type_id,
                       uint32_t *method_id);
    /* As nyash_plugin_invoke. On NYASH_E_SHORT_BUFFER the host keeps the answer
     * for this thread: the same call with more room gets it. */
    int32_t (*invoke)(uint32_t type_id, uint32_t method_id,
                      uint32_t instance_id, const uint8_t *args,
                      size_t args_len, uint8_t *result, size_t *result_len);
} NyashHostCalls;

#define NYASH_HOST_CALLS_VERSION UINT32_C(1)

/* Optional: is given the host's functions, before nyash_plugin_init. Another
 * answer than 0 refuses the load. */
NYASH_EXPORT int32_t nyash_plugin_connect(const NyashHostCalls *host);

#define NYASH_DEFINE_INVOKE_BATCH                                              \
    size_t nyash_plugin_invoke_batch(NyashCall *calls, size_t count) {         \
        size_t i;                                                              \
        for (i = 0; i < count; i++) {                                          \
            NyashCall *c = &calls[i];                                          \
            c->code = nyash_plugin_invoke(c->type_id, c->method_id,            \
                                          c->instance_id, c->args,             \
                                          c->args_len, c->result,              \
                                          &c->result_len);                     \
            if (c->code == NYASH_E_SHORT_BUFFER) return i + 1;                 \
        }                                                                      \
        return count;                                                          \
    }

/* WebAssembly. The same source, compiled for wasm32-wasi as a reactor, is a
 * plugin for every system:
 *
 *     clang --target=wasm32-wasi -O2 -mexec-model=reactor -o x.wasm x.c
 *
 * A host cannot put its functions into a module's table of functions. So the
 * module imports them, and what follows makes the host's structures inside of
 * it, whose addresses the host asks for and hands to the plugin. All of it is
 * weak: a plugin without malloc defines the allocator itself. */
#ifdef __wasm__
#define NYASH_WASM_EXPORT(name) __attribute__((export_name(#name)))
#define NYASH_WASM_IMPORT(name) \
    __attribute__((import_module("nyash"), import_name(#name)))

NYASH_WASM_EXPORT(nyash_plugin_abi) uint32_t nyash_plugin_abi(void);
NYASH_WASM_EXPORT(nyash_plugin_init)
int32_t nyash_plugin_init(const NyashHostVtable *, NyashPluginInfo *);
NYASH_WASM_EXPORT(nyash_plugin_invoke)
int32_t nyash_plugin_invoke(uint32_t, uint32_t, uint32_t, const uint8_t *,
                            size_t, uint8_t *, size_t *);
NYASH_WASM_EXPORT(nyash_plugin_shutdown) void nyash_plugin_shutdown(void);
NYASH_WASM_EXPORT(nyash_plugin_invoke_batch)
size_t nyash_plugin_invoke_batch(NyashCall *, size_t);
NYASH_WASM_EXPORT(nyash_plugin_config) const char *nyash_plugin_config(void);
NYASH_WASM_EXPORT(nyash_plugin_connect)
int32_t nyash_plugin_connect(const NyashHostCalls *);

NYASH_WASM_IMPORT(log) void nyash_wasm_log(int32_t level, const char *msg);
NYASH_WASM_IMPORT(wake) void nyash_wasm_wake(uint64_t handle);
NYASH_WASM_IMPORT(resolve)
int32_t nyash_wasm_resolve(const char *box, const char *method,
                           uint32_t *type_id, uint32_t *method_id);
NYASH_WASM_IMPORT(invoke)
int32_t nyash_wasm_invoke(uint32_t type_id, uint32_t method_id,
                          uint32_t instance_id, const uint8_t *args,
                          size_t args_len, uint8_t *result, size_t *result_len);

NYASH_WASM_EXPORT(nyash_alloc)
__attribute__((weak)) uint8_t *nyash_wasm_alloc(size_t size) {
    return (uint8_t *)malloc(size);
}
NYASH_WASM_EXPORT(nyash_free)
__attribute__((weak)) void nyash_wasm_free(uint8_t *ptr) { free(ptr); }

NYASH_WASM_EXPORT(nyash_host_table)
__attribute__((weak)) const NyashHostVtable *nyash_wasm_host_table(void) {
    static const NyashHostVtable table = {nyash_wasm_alloc, nyash_wasm_free,
                                          nyash_wasm_wake, nyash_wasm_log};
    return &table;
}
NYASH_WASM_EXPORT(nyash_host_calls)
__attribute__((weak)) const NyashHostCalls *nyash_wasm_host_calls(void) {
    static const NyashHostCalls calls = {
        (uint32_t)sizeof(NyashHostCalls), NYASH_HOST_CALLS_VERSION,
        nyash_wasm_resolve, nyash_wasm_invoke};
    return &calls;
}
#endif /* __wasm__ */

#ifdef __cplusplus
}
#endif

#endif /* NYASH_PLUGIN_H */
