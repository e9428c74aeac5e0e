// The author's part of a plugin whose table is generated.
#define STORE_LIMIT_TEXT 100
#define STORE_TAKES_PUT_1 Item
#include "kinds.hpp"

class Item : public ItemMethods {
public:
    Store owner() override;
    Item twin(Item &other) override { return other; }
    int64_t puts = 0;
};

class Store : public StoreMethods {
public:
    Store() = default;
    Store(std::string_view path, bool read_only) : path(path), read_only(read_only) {
        if (path.empty()) throw nyash::error(NYASH_E_PLUGIN, "no path");
    }
    bool flag(bool on) override { return !on; }
    int32_t narrow(int32_t n) override { return n + 1; }
    int64_t wide(int64_t n) override { return n + 1; }
    float single(float x) override { return x / 2; }
    double double_(double x, double y) override { return x + y; }
    std::string text(std::string_view s, std::string_view t) override { return std::string(s) + std::string(t); }
    std::vector<uint8_t> data(nyash::bytes_view s, nyash::bytes_view t) override {
        std::vector<uint8_t> all(s.begin(), s.end());
        all.insert(all.end(), t.begin(), t.end());
        return all;
    }
    nyash::blob large(nyash::blob_view s, nyash::blob_view t) override {
        nyash::blob all(s.size() + t.size());
        std::memcpy(all.data(), s.data(), s.size());
        std::memcpy(all.data() + s.size(), t.data(), t.size());
        return all;
    }
    void nothing() override {}
    void put(Item &item) override { item.puts++; }
    Item first() override { return Item(); }
    Store copy() override { return *this; }
    Store another() override { return Store(); }
    int64_t type(int64_t class_, int64_t fn, int64_t self, int64_t errno_) override { return class_ + fn + self + errno_; }
    int64_t readAll_16() override { return 16; }
    int64_t readAll() override { return 15; }
    void close() override {}
    std::string string() override { return "store"; }
    int32_t readByte() override { return 19; }
    int32_t clone() override { return 20; }
    int32_t table() override { return 21; }
    int64_t many(int64_t first, int64_t second, int64_t third, int64_t fourth, int64_t fifth, int64_t sixth, int64_t seventh,
                 int64_t eighth, int64_t ninth) override {
        return first + second + third + fourth + fifth + sixth + seventh + eighth + ninth;
    }

private:
    std::string path;
    bool read_only = false;
};

Store Item::owner() { return Store(); }

NYASH_PLUGIN(&store_table<>, &item_table<>)
