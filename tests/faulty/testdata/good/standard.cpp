// A plugin without a fault that uses what C++ has for threads: mutexes, atomics, shared
// pointers, statics in functions, and both locks at once.
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "nyash_plugin.h"

namespace {

constexpr uint32_t type_id = 722;
enum { PUT = 1, GET, SIZE, SWAP, RANK, CALLS };

struct Map {
    std::mutex lock;
    std::map<std::string, std::string> entries;
};

std::shared_mutex maps_lock;
std::map<uint32_t, std::shared_ptr<Map>> maps;
std::atomic<uint32_t> last_id{0};
std::atomic<int64_t> calls{0};

struct Args {
    std::string text[2];
    uint32_t handle[2];
    int64_t n;
};

bool read(const uint8_t *args, size_t n, const std::string &tags, Args &out) {
    size_t at = 4, texts = 0;
    if (n < 4 || args[0] != 1 || args[1] != 0 || args[2] != tags.size() || args[3] != 0) return false;
    for (char tag : tags) {
        if (n - at < 4 || args[at] != uint8_t(tag) || args[at + 1] != 0) return false;
        size_t size = args[at + 2] | size_t(args[at + 3]) << 8;
        at += 4;
        if (n - at < size || (tag != NYASH_TAG_BYTES && size != 8)) return false;
        if (tag == NYASH_TAG_BYTES) out.text[texts++].assign(reinterpret_cast<const char *>(args + at), size);
        if (tag == NYASH_TAG_HANDLE) std::memcpy(out.handle, args + at, 8);
        if (tag == NYASH_TAG_I64) std::memcpy(&out.n, args + at, 8);
        at += size;
    }
    return at == n;
}

int32_t reply(uint8_t *result, size_t *length, uint8_t tag, const void *data, size_t size) {
    if (*length < 8 + size) {
        *length = 8 + size;
        return NYASH_E_SHORT_BUFFER;
    }
    const uint8_t head[8] = {1, 0, 1, 0, tag, 0, uint8_t(size), uint8_t(size >> 8)};
    std::memcpy(result, head, 8);
    std::memcpy(result + 8, data, size);
    *length = 8 + size;
    return NYASH_OK;
}

int32_t reply(uint8_t *result, size_t *length, int64_t n) { return reply(result, length, NYASH_TAG_I64, &n, 8); }

std::shared_ptr<Map> find(uint32_t id) {
    std::shared_lock<std::shared_mutex> held(maps_lock);
    auto at = maps.find(id);
    return at == maps.end() ? nullptr : at->second;
}

const std::array<uint8_t, 256> &ranks() {
    static const std::array<uint8_t, 256> table = [] {
        std::array<uint8_t, 256> all{};
        for (size_t i = 1; i < all.size(); i++) all[i] = uint8_t(all[i / 2] + i % 2);
        return all;
    }();
    return table;
}

int32_t call(Map &map, uint32_t method, const Args &a, uint8_t *result, size_t *length) {
    if (method == SWAP) {
        auto other = a.handle[0] == type_id ? find(a.handle[1]) : nullptr;
        if (!other) return NYASH_E_INVALID_HANDLE;
        if (other.get() != &map) {
            std::scoped_lock both(map.lock, other->lock);
            map.entries.swap(other->entries);
        }
        *length = 0;
        return NYASH_OK;
    }
    if (method == RANK) return reply(result, length, ranks()[a.n & 255]);
    if (method == CALLS) return reply(result, length, calls.load() > 0);
    std::lock_guard<std::mutex> held(map.lock);
    if (method == SIZE) return reply(result, length, int64_t(map.entries.size()));
    if (method == PUT) {
        map.entries[a.text[0]] = a.text[1];
        *length = 0;
        return NYASH_OK;
    }
    auto at = map.entries.find(a.text[0]);
    if (at == map.entries.end()) {
        *length = 0;
        return NYASH_OK;
    }
    return reply(result, length, NYASH_TAG_BYTES, at->second.data(), at->second.size());
}

int32_t invoke(uint32_t method, uint32_t id, const uint8_t *args, size_t n, uint8_t *result, size_t *length) {
    static const std::string takes[] = {"", "\7\7", "\7", "", "\10", "\3", ""};
    if (method == NYASH_METHOD_BIRTH) {
        if (*length < 4) {
            *length = 4;
            return NYASH_E_SHORT_BUFFER;
        }
        uint32_t made = ++last_id;
        auto map = std::make_shared<Map>();
        std::unique_lock<std::shared_mutex> held(maps_lock);
        maps.emplace(made, std::move(map));
        std::memcpy(result, &made, 4);
        *length = 4;
        return NYASH_OK;
    }
    if (method == NYASH_METHOD_FINI) {
        std::shared_ptr<Map> ended;
        std::unique_lock<std::shared_mutex> held(maps_lock);
        auto at = maps.find(id);
        if (at == maps.end()) return NYASH_E_INVALID_HANDLE;
        ended = std::move(at->second);
        maps.erase(at);
        *length = 0;
        return NYASH_OK;
    }
    if (method < PUT || method > CALLS) return NYASH_E_INVALID_METHOD;
    auto map = find(id);
    if (!map) return NYASH_E_INVALID_HANDLE;
    Args a{};
    if (!read(args, n, takes[method], a)) return NYASH_E_INVALID_ARGS;
    if (*length < 16 && method != GET) {
        *length = 16;
        return NYASH_E_SHORT_BUFFER;
    }
    calls++;
    return call(*map, method, a, result, length);
}

} // namespace

uint32_t nyash_plugin_abi() { return NYASH_ABI_VERSION; }

const char *nyash_plugin_config() {
    return "[plugins.Map]\ntype_id = 722\n[plugins.Map.methods]\n"
           "put = { method_id = 1, args = [ { name = 'key', to = 'bytes' }, { name = 'value', to = 'bytes' } ], returns = 'void' }\n"
           "get = { method_id = 2, args = [ { name = 'key', to = 'bytes' } ] }\n"
           "size = { method_id = 3, args = [], returns = 'i64' }\n"
           "swap = { method_id = 4, args = [ { name = 'with', to = 'handle' } ], returns = 'void' }\n"
           "rank = { method_id = 5, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n"
           "calls = { method_id = 6, args = [], returns = 'i64' }\n";
}

int32_t nyash_plugin_init(const NyashHostVtable *, NyashPluginInfo *info) {
    info->type_id = type_id;
    info->type_name = "Map";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    if (type != type_id) return NYASH_E_INVALID_TYPE;
    return invoke(method, instance, args, args_len, result, result_len);
}

void nyash_plugin_shutdown() {
    std::unique_lock<std::shared_mutex> held(maps_lock);
    maps.clear();
    last_id = 0;
}
