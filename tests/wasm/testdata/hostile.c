/* A module that answers its host what a script says, which it finds in its environment as
 * hexadecimal digits: addresses, lengths, codes. It has the functions of nyash_plugin.h, and none
 * of its types, because little of what it answers is of any. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(name) __attribute__((import_module("nyash"), import_name(#name)))

IMPORT(log) void host_log(uint32_t level, uint32_t text);
IMPORT(wake) void host_wake(uint64_t handle);
IMPORT(resolve) uint32_t host_resolve(uint32_t box, uint32_t method, uint32_t type_id, uint32_t method_id);
IMPORT(invoke)
uint32_t host_invoke(uint32_t type, uint32_t method, uint32_t instance, uint32_t args, uint32_t args_len,
                     uint32_t result, uint32_t result_len);

static uint32_t type_id, method_id;
static uint32_t words[16];
static uint8_t message[256] = "\1\0\1";
static const char box[] = "GoBox", method[] = "echo", name[] = "Hostile";
static volatile uint32_t turns;
static int depth;

static uint32_t address_of(const volatile void *p) { return (uint32_t)(uintptr_t)p; }

/* The next byte of the script; 0 behind its end. */
static uint32_t byte(void) {
    static const char *at;
    uint32_t value = 0;
    if (at == NULL && (at = getenv("NYASH_TEST_SCRIPT")) == NULL) at = "";
    for (int i = 0; i < 2 && *at != 0; i++, at++) value = value << 4 | (uint32_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return value;
}

/* A number that is likely to be wrong in an interesting way. */
static uint32_t word(void) {
    uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) * 65536;
    switch (byte() % 8) {
    case 0: return byte();
    case 1: return end - byte();
    case 2: return end + byte();
    case 3: return 0u - byte();
    case 4: return byte() << 24 | byte() << 16 | byte() << 8 | byte();
    case 5: return address_of(words) + byte() % 64;
    case 6: return address_of(message) + byte();
    default: return 1u << byte() % 32;
    }
}

/* What is right, or a number from the script. */
static uint32_t maybe(uint32_t right) { return byte() % 4 != 0 ? right : word(); }

/* A message with some entries, of which little need be right. */
static void write_message(void) {
    uint32_t at = 4, entries = byte() % 4;
    message[0] = (uint8_t)maybe(1);
    message[2] = (uint8_t)maybe(entries);
    for (uint32_t i = 0; i < entries; i++) {
        uint32_t size = byte() % 24, tag = byte() % 12;
        if (tag == 10) size = 16;
        message[at] = (uint8_t)tag;
        message[at + 1] = 0;
        message[at + 2] = (uint8_t)maybe(size);
        message[at + 3] = 0;
        for (uint32_t j = 0; j < size; j += 4) memcpy(message + at + 4 + j, &(uint32_t){j % 8 ? 0 : word()}, 4);
        at += 4 + size;
    }
}

/* Asks the host for something. */
static void ask(void) {
    if (depth > 2) return;
    depth++;
    switch (byte() % 6) {
    case 0: host_log(word(), maybe(address_of(name))); break;
    case 1: host_wake((uint64_t)word() << 32 | word()); break;
    case 2:
        host_resolve(maybe(address_of(box)), maybe(address_of(method)), maybe(address_of(&type_id)),
                     maybe(address_of(&method_id)));
        break;
    case 3:
        write_message();
        words[0] = maybe(64);
        host_invoke(maybe(type_id), maybe(byte() % 2 ? method_id : 0), word(), maybe(address_of(message)), maybe(64),
                    maybe(address_of(message) + 128), maybe(address_of(words)));
        break;
    case 4: __builtin_wasm_memory_grow(0, byte() % 4); break;
    default: break;
    }
    depth--;
}

/* What a function may do beside answering. */
static void misbehave(void) {
    uint32_t what = byte();
    while (what-- % 4 != 0) ask();
    if (byte() == 0xfe) __builtin_trap();
    while (byte() == 0xff) while (turns < UINT32_MAX) turns = turns % 1000;
}

EXPORT(nyash_plugin_abi) uint32_t plugin_abi(void) { return byte() == 1 ? word() : 1; }

EXPORT(nyash_plugin_config) uint32_t plugin_config(void) {
    static const char none[] = "[plugins.Hostile]\n";
    return maybe(address_of(none));
}

EXPORT(nyash_alloc) uint32_t alloc(uint32_t size) {
    uint32_t what = byte();
    if (what == 1) misbehave();
    return what % 8 == 7 ? word() : address_of(malloc(size));
}

EXPORT(nyash_free) void release(uint32_t at) {
    (void)at; /* what it gave out need not be its allocator's */
    if (byte() == 1) misbehave();
}

EXPORT(nyash_host_table) uint32_t host_table(void) { return word(); }
EXPORT(nyash_host_calls) uint32_t host_calls(void) { return word(); }

EXPORT(nyash_plugin_connect) uint32_t connect(uint32_t at) {
    (void)at;
    host_resolve(address_of(box), address_of(method), address_of(&type_id), address_of(&method_id));
    misbehave();
    return byte() == 1 ? word() : 0;
}

EXPORT(nyash_plugin_init) uint32_t init(uint32_t table, uint32_t info) {
    uint32_t said[4] = {maybe(7), maybe(address_of(name)), maybe(0), maybe(address_of(words))};
    (void)table;
    misbehave();
    if (byte() != 1) memcpy((void *)(uintptr_t)info, said, sizeof said);
    return byte() == 1 ? word() : 0;
}

EXPORT(nyash_plugin_invoke)
uint32_t invoke(uint32_t type, uint32_t which, uint32_t instance, uint32_t args, uint32_t args_len, uint32_t result,
                uint32_t result_len) {
    static uint32_t last;
    (void)type, (void)instance, (void)args, (void)args_len;
    misbehave();
    if (which == 0 && byte() != 1) {
        memcpy((void *)(uintptr_t)result, &(uint32_t){++last}, 4);
        *(uint32_t *)(uintptr_t)result_len = 4;
        return 0;
    }
    write_message();
    memcpy((void *)(uintptr_t)result, message, 128);
    *(uint32_t *)(uintptr_t)result_len = maybe(byte() % 2 ? 24 : 64);
    return byte() % 4 != 0 ? 0 : 0u - byte() % 12;
}

EXPORT(nyash_plugin_shutdown) void shut_down(void) { misbehave(); }
