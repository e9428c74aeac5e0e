/*
 * Prints what a C compiler makes of nyash_plugin.h, one fact a line:
 *
 *     sizeof STRUCT BYTES
 *     field STRUCT.FIELD OFFSET BYTES
 *     value NAME NUMBER
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 */
#include "nyash_plugin.h"

#include <inttypes.h>
#include <stdio.h>

/* A second declaration compiles only if the header's has the same type. */
uint32_t nyash_plugin_abi(void);
int32_t nyash_plugin_init(const NyashHostVtable *, NyashPluginInfo *);
int32_t nyash_plugin_invoke(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *,
                            size_t *);
void nyash_plugin_shutdown(void);
size_t nyash_plugin_invoke_batch(NyashCall *, size_t);
int32_t nyash_plugin_connect(const NyashHostCalls *);

/* So do initialisers, each with the type that the specification gives. */
static uint8_t *take(size_t size)
{
    (void)size;
    return NULL;
}
static void give(uint8_t *ptr) { (void)ptr; }
static void wake(uint64_t handle) { (void)handle; }
static void say(int32_t level, const char *msg)
{
    (void)level;
    (void)msg;
}
static const NyashHostVtable vtable = {take, give, wake, say};
static const char name[] = "birth";
static const NyashMethodInfo method = {NYASH_METHOD_BIRTH, name, 0};
static const NyashPluginInfo info = {6, name, 1, &method};
static const uint8_t args[1] = {0};
static uint8_t result[1];
static uint32_t resolve(const char *method_name)
{
    (void)method_name;
    return 0;
}
static int32_t invoke_id(uint32_t instance_id, uint32_t method_id, const uint8_t *a, size_t a_len,
                         uint8_t *r, size_t *r_len)
{
    (void)instance_id, (void)method_id, (void)a, (void)a_len, (void)r, (void)r_len;
    return NYASH_OK;
}
static const NyashTypeBox typebox = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof typebox, name, resolve, invoke_id, 0};
static int32_t find(const char *box, const char *m, uint32_t *type_id, uint32_t *method_id)
{
    (void)box, (void)m, (void)type_id, (void)method_id;
    return NYASH_OK;
}
static int32_t invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *a,
                      size_t a_len, uint8_t *r, size_t *r_len)
{
    (void)type_id;
    return invoke_id(instance_id, method_id, a, a_len, r, r_len);
}
static const NyashHostCalls calls = {sizeof calls, NYASH_HOST_CALLS_VERSION, find, invoke};
static const NyashCall call = {6, 1, 2, NYASH_OK, args, sizeof args, result, sizeof result};

#define SIZE(type) printf("sizeof " #type " %zu\n", sizeof(type))
#define FIELD(type, object, field) \
    printf("field " #type "." #field " %zu %zu\n", offsetof(type, field), sizeof(object.field))
#define VALUE(name) printf("value " #name " %" PRId64 "\n", (int64_t)(name))

int main(void)
{
    SIZE(NyashHostVtable);
    FIELD(NyashHostVtable, vtable, alloc);
    FIELD(NyashHostVtable, vtable, free);
    FIELD(NyashHostVtable, vtable, wake);
    FIELD(NyashHostVtable, vtable, log);

    SIZE(NyashMethodInfo);
    FIELD(NyashMethodInfo, method, method_id);
    FIELD(NyashMethodInfo, method, name);
    FIELD(NyashMethodInfo, method, signature);

    SIZE(NyashPluginInfo);
    FIELD(NyashPluginInfo, info, type_id);
    FIELD(NyashPluginInfo, info, type_name);
    FIELD(NyashPluginInfo, info, method_count);
    FIELD(NyashPluginInfo, info, methods);

    SIZE(NyashCall);
    FIELD(NyashCall, call, type_id);
    FIELD(NyashCall, call, method_id);
    FIELD(NyashCall, call, instance_id);
    FIELD(NyashCall, call, code);
    FIELD(NyashCall, call, args);
    FIELD(NyashCall, call, args_len);
    FIELD(NyashCall, call, result);
    FIELD(NyashCall, call, result_len);

    SIZE(NyashTypeBox);
    FIELD(NyashTypeBox, typebox, abi_tag);
    FIELD(NyashTypeBox, typebox, version);
    FIELD(NyashTypeBox, typebox, struct_size);
    FIELD(NyashTypeBox, typebox, name);
    FIELD(NyashTypeBox, typebox, resolve);
    FIELD(NyashTypeBox, typebox, invoke_id);
    FIELD(NyashTypeBox, typebox, capabilities);

    SIZE(NyashHostCalls);
    FIELD(NyashHostCalls, calls, struct_size);
    FIELD(NyashHostCalls, calls, version);
    FIELD(NyashHostCalls, calls, resolve);
    FIELD(NyashHostCalls, calls, invoke);

    VALUE(NYASH_ABI_VERSION);
    VALUE(NYASH_HOST_CALLS_VERSION);
    VALUE(NYASH_TYPEBOX_TAG);
    VALUE(NYASH_TYPEBOX_VERSION);
    VALUE(NYASH_METHOD_BIRTH);
    VALUE(NYASH_METHOD_FINI);

    VALUE(NYASH_OK);
    VALUE(NYASH_E_SHORT_BUFFER);
    VALUE(NYASH_E_INVALID_TYPE);
    VALUE(NYASH_E_INVALID_METHOD);
    VALUE(NYASH_E_INVALID_ARGS);
    VALUE(NYASH_E_PLUGIN);
    VALUE(NYASH_E_OUT_OF_MEMORY);
    VALUE(NYASH_E_INVALID_UTF8);
    VALUE(NYASH_E_INVALID_HANDLE);
    VALUE(NYASH_E_VERSION);
    VALUE(NYASH_E_NOT_PERMITTED);

    VALUE(NYASH_LOG_DEBUG);
    VALUE(NYASH_LOG_INFO);
    VALUE(NYASH_LOG_WARN);
    VALUE(NYASH_LOG_ERROR);

    VALUE(NYASH_TLV_VERSION);
    VALUE(NYASH_TLV_HEADER_SIZE);
    VALUE(NYASH_TLV_ENTRY_SIZE);
    VALUE(NYASH_TLV_MAX_PAYLOAD);

    VALUE(NYASH_TAG_BOOL);
    VALUE(NYASH_TAG_I32);
    VALUE(NYASH_TAG_I64);
    VALUE(NYASH_TAG_F32);
    VALUE(NYASH_TAG_F64);
    VALUE(NYASH_TAG_STRING);
    VALUE(NYASH_TAG_BYTES);
    VALUE(NYASH_TAG_HANDLE);
    VALUE(NYASH_TAG_VOID);
    VALUE(NYASH_TAG_BLOB);
    return 0;
}
