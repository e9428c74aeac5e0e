// nyash_use.hpp: call the boxes of the host, and those of other plugins, from a plugin that is written with nyash.hpp.
//
// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The nyash-go authors
//
//     #include "nyash_use.hpp"
//
//     struct CounterBox {
//         static constexpr const char *box_name = "CounterBox";
//     };
//
//     class Shop {
//     public:
//         int64_t sell(int64_t n) { return sold.call<int64_t>("add", n); }
//         int64_t both(nyash::lent<CounterBox> other) { return other.call<int64_t>("get") + sold.call<int64_t>("get"); }
//         nyash::held<CounterBox> fresh() { return nyash::make<CounterBox>(); }
//     private:
//         nyash::held<CounterBox> sold = nyash::make<CounterBox>();
//     };
//     ...
//     static constexpr NyashBox shop = nyash::uses(nyash::box<Shop>("ShopBox", 8, methods), {"CounterBox"});
//
//     NYASH_PLUGIN(&shop)
//     NYASH_CONNECT
//
// A box of another library is a type with its name. held is a hold on an instance: it moves, its end gives up the hold,
// and as the result of a method it passes the hold on. lent is an argument of a method, until the method returns.
//
// Arguments of calls: bool, int32_t, int64_t, float, double, text, std::vector<uint8_t> and bytes_view (bytes),
// blob_view (blob), held, lent, nyash::own(*this). The host compares them with what nyash.toml declares and converts
// nothing: an argument declared i64 needs an int64_t. Results: void, which drops whatever comes, bool, int32_t,
// int64_t, float, double, std::string, std::vector<uint8_t>, blob, held, and std::optional of these for one that may be
// Void. An error is a call_error; one that nobody catches is the error of the method.
//
// What nyash_use.h says of uses, NYASH_CONNECT, locks, threads and the time behind nyash_plugin_shutdown holds here.
#ifndef NYASH_USE_HPP
#define NYASH_USE_HPP

#include <atomic>
#include <memory>

#include "nyash.hpp"
#include "nyash_use.h"

namespace nyash {

// call_error is that of a call: what() is "CounterBox.add: what is wrong", and code() what the called box answered.
class call_error : public error {
public:
    explicit call_error(const NyashUseError &e) : error(e.code, e.message) {}
    int32_t answer() const noexcept override { return nyash_own_code(code()); }
};

template <class Box> class held;
template <class Box> class lent;

// own lends an instance of this library to another box: nyash::own(*this). The object is one that a host has made, not a
// copy of it, and is not in its constructor.
struct own {
    template <class T> explicit own(const T &object) noexcept : state(&object) {}
    const void *state;
};

namespace detail {

// The methods of a box that were called. Where a name is says where to look for it, as literals stay where they are.
// Never emptied; a method for which there is no room is looked up at each call.
class method_cache {
public:
    NyashUse *find(const char *box, const char *name) noexcept {
        size_t at = reinterpret_cast<uintptr_t>(name) / 4 % count;
        for (size_t n = 0; n < count; n++, at = (at + 1) % count) {
            entry &e = entries_[at];
            if (!e.taken.load(std::memory_order_acquire) && !take(e, box, name)) return nullptr;
            if (std::strcmp(e.name, name) == 0) return &e.use;
        }
        return nullptr;
    }

private:
    static constexpr size_t count = 32;
    struct entry {
        std::atomic<bool> taken{false};
        char name[48]{};
        NyashUse use{};
    };

    // Gives a free entry to the name, unless another thread was faster.
    static bool take(entry &e, const char *box, const char *name) noexcept {
        const size_t size = std::strlen(name);
        if (size >= sizeof e.name) return false;
        nyash_lock(&nyash_state.lock);
        if (!e.taken.load(std::memory_order_relaxed)) {
            std::memcpy(e.name, name, size + 1);
            e.use.box = box;
            e.use.method = e.name;
            e.taken.store(true, std::memory_order_release);
        }
        nyash_unlock(&nyash_state.lock);
        return true;
    }

    entry entries_[count];
};

// Hidden, since libraries must not share it: each has ids of its own.
template <class Box> NYASH_HIDDEN inline method_cache methods_of;

template <class A> NyashPass pass(const A &v) noexcept {
    if constexpr (foreign<A>::value) {
        return nyash_pass_handle(v.handle());
    } else if constexpr (std::is_same_v<A, own>) {
        return nyash_pass_instance(v.state);
    } else if constexpr (std::is_convertible_v<const A &, std::string_view>) {
        const std::string_view text = v;
        return nyash_pass_string(text.data(), text.size());
    } else {
        constexpr uint32_t type = wire<A>();
        static_assert(type != NYASH_HANDLE, "an instance of this library is passed as nyash::own(instance)");
        if constexpr (type == NYASH_BOOL) return nyash_pass_bool(v);
        else if constexpr (type == NYASH_I32) return nyash_pass_i32(static_cast<int32_t>(v));
        else if constexpr (type == NYASH_I64) return nyash_pass_i64(static_cast<int64_t>(v));
        else if constexpr (type == NYASH_F32) return nyash_pass_f32(v);
        else if constexpr (type == NYASH_F64) return nyash_pass_f64(v);
        else if constexpr (type == NYASH_BYTES) return nyash_pass_bytes(v.data(), v.size());
        else if constexpr (std::is_same_v<A, blob>) return nyash_pass_blob(const_cast<A &>(v).data(), v.size());
        else if constexpr (type == NYASH_BLOB) return nyash_pass_blob(v.data(), v.size());
        else static_assert(unsupported<A>, "no argument of a call; nyash_use.hpp lists what is");
    }
}

// Where a result of type R goes until it is one.
template <class R> struct result {
    R value{};
    NyashTo to() noexcept {
        constexpr uint32_t type = wire<R>();
        if constexpr (type == NYASH_I32) return nyash_to(type, &value, nullptr);
        else if constexpr (type == NYASH_I64) return nyash_to(type, &value, nullptr);
        else if constexpr (type == NYASH_F32) return nyash_to_f32(&value);
        else if constexpr (type == NYASH_F64) return nyash_to_f64(&value);
        else static_assert(unsupported<R>, "no result of a call; nyash_use.hpp lists what is");
    }
    R take() noexcept { return value; }
};

template <> struct result<void> {
    NyashTo to() noexcept { return nyash_to_nothing(); }
    void take() noexcept {}
};

template <> struct result<bool> {
    int value = 0;
    NyashTo to() noexcept { return nyash_to_bool(&value); }
    bool take() noexcept { return value != 0; }
};

template <class T> struct copied {
    T *data = nullptr;
    size_t size = 0;
    ~copied() { std::free(data); }
};

template <> struct result<std::string> : copied<char> {
    NyashTo to() noexcept { return nyash_to_text(&data, &size); }
    std::string take() { return std::string(data, size); }
};

template <> struct result<std::vector<uint8_t>> : copied<uint8_t> {
    NyashTo to() noexcept { return nyash_to_bytes(&data, &size); }
    std::vector<uint8_t> take() { return std::vector<uint8_t>(data, data + size); }
};

template <> struct result<blob> {
    uint8_t *data = nullptr;
    size_t size = 0;
    NyashTo to() noexcept { return nyash_to_blob(&data, &size); }
    blob take() noexcept { return blob::adopt(data, size); }
};

template <class Box> struct result<held<Box>> {
    NyashHandle handle{};
    NyashTo to() noexcept { return nyash_to_handle(&handle); }
    held<Box> take() noexcept { return held<Box>(handle); }
};

template <class R> struct result<std::optional<R>> {
    result<R> value;
    int given = 0;
    NyashTo to() noexcept { return nyash_to_optional(value.to(), &given); }
    std::optional<R> take() { return given ? std::optional<R>(value.take()) : std::nullopt; }
};

// Made by the first call, so that it ends before objects that are there from the start on: a static held calls nothing
// when the process ends.
struct closer {
    ~closer() { nyash_disconnect(); }
};
NYASH_HIDDEN inline void close_at_exit() { static closer one; }

// Finds the method and has f call it; throws its error.
template <class Box, class F> void checked(const char *method, F f) {
    close_at_exit();
    NyashUse once = NYASH_USE(Box::box_name, method);
    NyashUse *use = methods_of<Box>.find(Box::box_name, method);
    NyashUseError e;
    if (f(use != nullptr ? use : &once, &e) != NYASH_OK) throw call_error(e);
}

template <class Box> class callable {
public:
    // Calls a method. R is the type of the result; void drops it.
    template <class R = void, class... A> R call(const char *method, const A &...args) const {
        const NyashPass passed[] = {pass(args)..., NyashPass{}};
        result<R> r;
        checked<Box>(method, [&](NyashUse *use, NyashUseError *e) {
            return nyash_use_call(use, &handle_, r.to(), passed, sizeof...(A), e);
        });
        return r.take();
    }
    // Whether there is an instance.
    explicit operator bool() const noexcept { return handle_.instance_id != 0; }
    // For the functions of nyash_use.h. It stays this object's.
    const NyashHandle *handle() const noexcept { return &handle_; }

protected:
    callable() noexcept = default;
    explicit callable(const NyashHandle &handle) noexcept : handle_(handle) {}
    NyashHandle handle_{};
};

} // namespace detail

// held is a hold on an instance of a box of another library; empty if it was moved from. Its end, reset and assignment
// give the hold up, and throw nothing.
template <class Box> class held : public detail::callable<Box> {
public:
    held() noexcept = default;
    // Takes over the hold of a handle of nyash_use.h.
    explicit held(const NyashHandle &handle) noexcept : detail::callable<Box>(handle) {}
    held(held &&other) noexcept : detail::callable<Box>(other.release()) {}
    held &operator=(held &&other) noexcept {
        if (this != &other) {
            reset();
            this->handle_ = other.release();
        }
        return *this;
    }
    held(const held &) = delete;
    held &operator=(const held &) = delete;
    ~held() { reset(); }
    void reset() noexcept { nyash_drop(&this->handle_); }
    // The hold becomes the caller's, to be given to nyash_drop.
    NyashHandle release() noexcept { return std::exchange(this->handle_, NyashHandle{}); }
};

// lent is an instance of a box of another library that is lent to a method, until it returns.
template <class Box> class lent : public detail::callable<Box> {
public:
    explicit lent(const NyashHandle &handle) noexcept : detail::callable<Box>(handle) {}
};

// make makes an instance. Of a singleton it holds the shared one. Not for the initialiser of a static object, which runs
// before the host connects.
template <class Box, class... A> held<Box> make(const A &...args) {
    const NyashPass passed[] = {detail::pass(args)..., NyashPass{}};
    NyashHandle made{};
    detail::checked<Box>("birth", [&](NyashUse *use, NyashUseError *e) {
        return nyash_use_new(use, &made, passed, sizeof...(A), e);
    });
    return held<Box>(made);
}

// uses adds what the library calls of its host to a box of it: names of boxes, or "Box.method".
template <size_t N> constexpr NyashBox uses(NyashBox box, const char *const (&names)[N]) {
    static_assert(N <= NYASH_MAX_USES, "define NYASH_MAX_USES, for more");
    for (size_t i = 0; i < N; i++) box.uses[i] = names[i];
    return box;
}

namespace detail {

template <class Box> struct foreign<lent<Box>> : std::true_type {
    static lent<Box> argument(const NyashContext *c, size_t i) noexcept { return lent<Box>(nyash_arg_handle(c, i)); }
    static int32_t give(NyashContext *c, const lent<Box> &result) noexcept {
        NyashHandle handle = *result.handle();
        return nyash_return_handle(c, &handle);
    }
};

template <class Box> struct foreign<held<Box>> : std::true_type {
    static int32_t give(NyashContext *c, held<Box> &&result) noexcept {
        NyashHandle handle = result.release();
        const int32_t code = nyash_return_handle(c, &handle);
        nyash_drop(&handle);
        return code;
    }
};

} // namespace detail

} // namespace nyash

#endif // NYASH_USE_HPP
