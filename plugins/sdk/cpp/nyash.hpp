// nyash.hpp: write a Nyash plugin in C++17. A class is a box, its member functions are methods.
//
// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The nyash-go authors
//
//     #include "nyash.hpp"
//
//     class Counter {
//     public:
//         explicit Counter(int64_t start) : n(start) {}
//         int64_t add(int32_t by) { return n += by; }
//     private:
//         int64_t n;
//     };
//
//     static constexpr NyashMethod methods[] = {
//         nyash::constructor<Counter, int64_t>({"start"}),
//         nyash::method<&Counter::add>(1, "add", {"by"}, "Adds to the count and returns it."),
//     };
//     static constexpr NyashBox counter = nyash::box<Counter>("Counter", 7, methods);
//
//     NYASH_PLUGIN(&counter)
//
// Arguments and results, with their types on the wire: bool · int32_t (i32) · int64_t (i64) · float (f32) · double (f64)
// · std::string, std::string_view (string) · std::vector<uint8_t>, nyash::bytes_view (bytes) · nyash::blob_view as an
// argument, nyash::blob as a result (blob) · a reference to a class that is a box as an argument, such a class by value
// as a result, which becomes a new instance (handle) · std::optional of one of these as an argument that may be left
// out · void.
//
// nyash_use.hpp has the other direction, calls to the boxes of the host.
//
// Views and references are valid until the method returns. An exception ends a call with an error: nyash::error with its
// own code, std::bad_alloc with NYASH_E_OUT_OF_MEMORY, any other with NYASH_E_PLUGIN and its what(). None leaves the
// plugin. A destructor must not throw.
//
// What nyash.h says of threads and memory holds here: calls on one object run one after another, unless its box has
// NYASH_CONCURRENT.
#ifndef NYASH_HPP
#define NYASH_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "nyash.h"

namespace nyash {

// error ends a call with a code of the plugin's choosing.
class error : public std::runtime_error {
public:
    error(int32_t code, const std::string &message) : std::runtime_error(message), code_(code) {}
    int32_t code() const noexcept { return code_; }
    // The code that a method answers which the error ends.
    virtual int32_t answer() const noexcept { return code_; }

private:
    int32_t code_;
};

// bytes_view is memory of the caller's.
class bytes_view {
public:
    constexpr bytes_view() noexcept = default;
    constexpr bytes_view(const uint8_t *data, size_t size) noexcept : data_(data), size_(size) {}
    constexpr const uint8_t *data() const noexcept { return data_; }
    constexpr size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr const uint8_t *begin() const noexcept { return data_; }
    constexpr const uint8_t *end() const noexcept { return data_ + size_; }
    constexpr const uint8_t &operator[](size_t i) const noexcept { return data_[i]; }

private:
    const uint8_t *data_ = nullptr;
    size_t size_ = 0;
};

// blob_view is a bytes_view of any length, which travels by reference.
class blob_view : public bytes_view {
public:
    using bytes_view::bytes_view;
};

// blob is memory of the host's, for a result of any length. It is freed with the object, unless a method returns it.
class blob {
public:
    blob() noexcept = default;
    explicit blob(size_t size) : data_(nyash_blob_alloc(size)), size_(size) {
        if (data_ == nullptr && size != 0) throw std::bad_alloc();
    }
    blob(const void *data, size_t size) : blob(size) {
        if (size != 0) std::memcpy(data_, data, size);
    }
    blob(blob &&other) noexcept : data_(other.release()), size_(other.size_) {}
    blob &operator=(blob &&other) noexcept {
        if (this != &other) {
            nyash_blob_free(data_);
            size_ = other.size_;
            data_ = other.release();
        }
        return *this;
    }
    blob(const blob &) = delete;
    blob &operator=(const blob &) = delete;
    ~blob() { nyash_blob_free(data_); }
    uint8_t *data() noexcept { return data_; }
    size_t size() const noexcept { return size_; }
    // Takes over memory of nyash_blob_alloc, of at least this size.
    static blob adopt(uint8_t *data, size_t size) noexcept {
        blob taken;
        taken.data_ = data;
        taken.size_ = size;
        return taken;
    }
    // The memory becomes the caller's, to be given to nyash_blob_free.
    uint8_t *release() noexcept { return std::exchange(data_, nullptr); }

private:
    uint8_t *data_ = nullptr;
    size_t size_ = 0;
};

namespace detail {

template <class T> using bare = std::remove_cv_t<std::remove_reference_t<T>>;
template <class T> constexpr bool unsupported = false;

// A box of another library, as nyash_use.hpp has them.
template <class T> struct foreign : std::false_type {};

template <class T> struct is_optional : std::false_type {};
template <class T> struct is_optional<std::optional<T>> : std::true_type {};

// The wire's type for a C++ type; NYASH_HANDLE for a class that must be a box.
template <class T> constexpr uint32_t wire() {
    using B = bare<T>;
    if constexpr (std::is_void_v<B>) return NYASH_VOID;
    else if constexpr (std::is_same_v<B, bool>) return NYASH_BOOL;
    else if constexpr (std::is_integral_v<B> && std::is_signed_v<B> && sizeof(B) == 4) return NYASH_I32;
    else if constexpr (std::is_integral_v<B> && std::is_signed_v<B> && sizeof(B) == 8) return NYASH_I64;
    else if constexpr (std::is_same_v<B, float>) return NYASH_F32;
    else if constexpr (std::is_same_v<B, double>) return NYASH_F64;
    else if constexpr (std::is_same_v<B, std::string> || std::is_same_v<B, std::string_view>) return NYASH_STRING;
    else if constexpr (std::is_same_v<B, std::vector<uint8_t>> || std::is_same_v<B, bytes_view>) return NYASH_BYTES;
    else if constexpr (std::is_same_v<B, blob_view> || std::is_same_v<B, blob>) return NYASH_BLOB;
    else if constexpr (foreign<B>::value) return NYASH_FOREIGN;
    else if constexpr (is_optional<B>::value) return wire<typename B::value_type>() | NYASH_OPTIONAL;
    else if constexpr (std::is_class_v<B>) return NYASH_HANDLE;
    else static_assert(unsupported<T>, "a type that the wire does not have; nyash.hpp lists those that it has");
}

// The argument i as what a function with a parameter of type P takes.
template <class P> decltype(auto) argument(const NyashContext *c, size_t i) {
    using B = bare<P>;
    constexpr uint32_t type = wire<P>();
    if constexpr (is_optional<B>::value) {
        using V = typename B::value_type;
        return nyash_arg_given(c, i) ? B(std::in_place, argument<V>(c, i)) : B();
    } else if constexpr (type == NYASH_BOOL) {
        return nyash_arg_bool(c, i) != 0;
    } else if constexpr (type == NYASH_I32) {
        return static_cast<B>(nyash_arg_i32(c, i));
    } else if constexpr (type == NYASH_I64) {
        return static_cast<B>(nyash_arg_i64(c, i));
    } else if constexpr (type == NYASH_F32) {
        return nyash_arg_f32(c, i);
    } else if constexpr (type == NYASH_F64) {
        return nyash_arg_f64(c, i);
    } else if constexpr (type == NYASH_STRING) {
        const NyashText text = nyash_arg_string(c, i);
        return B(text.data, text.size);
    } else if constexpr (type == NYASH_BYTES) {
        const NyashBytes bytes = nyash_arg_bytes(c, i);
        if constexpr (std::is_same_v<B, bytes_view>) return bytes_view(bytes.data, bytes.size);
        else return B(bytes.data, bytes.data + bytes.size);
    } else if constexpr (type == NYASH_BLOB) {
        static_assert(std::is_same_v<B, blob_view>, "an argument is a blob_view");
        const NyashBytes bytes = nyash_arg_blob(c, i);
        return blob_view(bytes.data, bytes.size);
    } else if constexpr (type == NYASH_FOREIGN) {
        return foreign<B>::argument(c, i);
    } else {
        static_assert(std::is_lvalue_reference_v<P>, "another box comes as a reference");
        return *static_cast<B *>(nyash_arg_instance(c, i));
    }
}

// The name of the box of class B, for a method of class T; null for T's own.
template <class B, class T> constexpr const char *box_name() {
    if constexpr (std::is_same_v<B, T>) return nullptr;
    else return B::box_name; // static constexpr const char *box_name = "...", as in its nyash::box
}

template <class T, class R> int32_t give(NyashContext *c, R &&result) {
    using B = bare<R>;
    constexpr uint32_t type = wire<B>();
    if constexpr (type == NYASH_BOOL) {
        return nyash_return_bool(c, result);
    } else if constexpr (type == NYASH_I32) {
        return nyash_return_i32(c, static_cast<int32_t>(result));
    } else if constexpr (type == NYASH_I64) {
        return nyash_return_i64(c, static_cast<int64_t>(result));
    } else if constexpr (type == NYASH_F32) {
        return nyash_return_f32(c, result);
    } else if constexpr (type == NYASH_F64) {
        return nyash_return_f64(c, result);
    } else if constexpr (type == NYASH_STRING) {
        return nyash_return_string(c, result.data(), result.size());
    } else if constexpr (type == NYASH_BYTES) {
        return nyash_return_bytes(c, result.data(), result.size());
    } else if constexpr (type == NYASH_BLOB) {
        static_assert(std::is_same_v<B, blob>, "a result is a blob, which owns its memory");
        const size_t size = result.size();
        return nyash_return_blob_owned(c, result.release(), size);
    } else if constexpr (type == NYASH_FOREIGN) {
        return foreign<B>::give(c, std::forward<R>(result));
    } else {
        static_assert(!std::is_lvalue_reference_v<R>, "a method returns another box by value");
        static_assert(std::is_nothrow_move_constructible_v<B>, "a box that is returned must move without exceptions");
        const char *name = box_name<B, T>();
        const NyashBox *box = nyash_find_box(nullptr, name);
        if (name != nullptr && box == nullptr) throw std::logic_error(std::string("no box of this library is called ") + name);
        void *state = nyash_create(c, box);
        if (state == nullptr) throw std::bad_alloc();
        new (state) B(std::move(result));
        return nyash_return_instance(c, state);
    }
}

// To be called in a handler.
inline int32_t report(NyashContext *c) noexcept {
    try {
        throw;
    } catch (const error &e) {
        return nyash_error(c, e.answer(), "%s", e.what());
    } catch (const std::bad_alloc &) {
        return nyash_error_memory(c);
    } catch (const std::exception &e) {
        return nyash_error(c, NYASH_E_PLUGIN, "%s", e.what());
    } catch (...) {
        return nyash_error(c, NYASH_E_PLUGIN, "an exception that is no std::exception");
    }
}

template <class... P> struct parameters {
    static constexpr size_t count = sizeof...(P);
    static_assert(count <= NYASH_MAX_ARGS, "define NYASH_MAX_ARGS, for more arguments");

    // Types and names of the arguments of a method of class T.
    template <class T> static constexpr void describe(NyashMethod &m, const char *const *names) {
        const uint32_t types[] = {wire<P>()..., 0};
        const char *const boxes[] = {box_of<P, T>()..., nullptr};
        for (size_t i = 0; i < count; i++) {
            m.args[i].name = names[i];
            m.args[i].type = types[i];
            m.args[i].box = boxes[i];
        }
    }

    template <class Q, class T> static constexpr const char *box_of() {
        if constexpr (wire<Q>() == NYASH_HANDLE) return box_name<bare<Q>, T>();
        else return nullptr;
    }
};

template <class R, class C, class... P> struct signature {
    using result = R;
    using object = C;
    using params = parameters<P...>;

    template <auto F, class T, size_t... I> static int32_t call(NyashContext *c, std::index_sequence<I...>) noexcept {
        try {
            [[maybe_unused]] T &self = *static_cast<T *>(nyash_self(c));
            if constexpr (std::is_void_v<R>) {
                (self.*F)(argument<P>(c, I)...);
                return nyash_return_void(c);
            } else {
                return give<T>(c, (self.*F)(argument<P>(c, I)...));
            }
        } catch (...) {
            return report(c);
        }
    }

    template <auto F, class T> static int32_t run(NyashContext *c) noexcept {
        return call<F, T>(c, std::index_sequence_for<P...>());
    }
};

template <class F> struct member;
template <class R, class C, class... P> struct member<R (C::*)(P...)> : signature<R, C, P...> {};
template <class R, class C, class... P> struct member<R (C::*)(P...) const> : signature<R, C, P...> {};
template <class R, class C, class... P> struct member<R (C::*)(P...) noexcept> : signature<R, C, P...> {};
template <class R, class C, class... P> struct member<R (C::*)(P...) const noexcept> : signature<R, C, P...> {};

template <class T, class... P, size_t... I> int32_t construct(NyashContext *c, std::index_sequence<I...>) noexcept {
    try {
        new (nyash_self(c)) T(argument<P>(c, I)...);
        return NYASH_OK;
    } catch (...) {
        return report(c);
    }
}

template <class T, class... P> int32_t birth(NyashContext *c) noexcept {
    return construct<T, P...>(c, std::index_sequence_for<P...>());
}

} // namespace detail

namespace detail {

template <auto F, class T>
constexpr NyashMethod describe(uint32_t id, const char *name, const char *const *args, const char *doc, size_t limit,
                               uint32_t flags) {
    using M = member<decltype(F)>;
    NyashMethod m{};
    m.id = id;
    m.name = name;
    m.call = &M::template run<F, T>;
    M::params::template describe<T>(m, args);
    m.result = wire<typename M::result>();
    if constexpr (wire<typename M::result>() == NYASH_HANDLE) m.result_box = box_name<bare<typename M::result>, T>();
    m.limit = limit;
    m.flags = flags;
    m.doc = doc;
    return m;
}

} // namespace detail

// method describes a member function, with the names of its arguments. limit is the largest result in bytes of a method
// that returns a string or bytes; 0 is the most that there can be. flags are those of a method in nyash.h: NYASH_LEAF,
// say. T is the class of the box where F is a base's.
template <auto F, class T = typename detail::member<decltype(F)>::object, size_t N>
constexpr NyashMethod method(uint32_t id, const char *name, const char *const (&args)[N], const char *doc = nullptr,
                             size_t limit = 0, uint32_t flags = 0) {
    static_assert(N == detail::member<decltype(F)>::params::count, "a name for each argument");
    return detail::describe<F, T>(id, name, args, doc, limit, flags);
}

// A flag of the method in the place of the limit, which is in front of the flags.
template <auto F, class T = typename detail::member<decltype(F)>::object, size_t N>
constexpr NyashMethod method(uint32_t id, const char *name, const char *const (&args)[N], const char *doc, NyashMethodFlag flag) = delete;

// A member function without arguments.
template <auto F, class T = typename detail::member<decltype(F)>::object>
constexpr NyashMethod method(uint32_t id, const char *name) {
    static_assert(detail::member<decltype(F)>::params::count == 0, "a name for each argument: {\"first\", ...}");
    return detail::describe<F, T>(id, name, nullptr, nullptr, 0, 0);
}

// The same with a doc. Its type is a parameter so that a list of names is not taken for one.
template <auto F, class T = typename detail::member<decltype(F)>::object, class Doc>
constexpr NyashMethod method(uint32_t id, const char *name, Doc doc, size_t limit = 0, uint32_t flags = 0) {
    static_assert(detail::member<decltype(F)>::params::count == 0, "a name for each argument: {\"first\", ...}");
    return detail::describe<F, T>(id, name, nullptr, doc, limit, flags);
}

template <auto F, class T = typename detail::member<decltype(F)>::object, class Doc>
constexpr NyashMethod method(uint32_t id, const char *name, Doc doc, NyashMethodFlag flag) = delete; // as above

// constructor describes the constructor T(P...), which makes an instance. Each box has one.
template <class T, class... P, size_t N>
constexpr NyashMethod constructor(const char *const (&args)[N], const char *doc = nullptr) {
    static_assert(N == sizeof...(P), "a name for each argument");
    NyashMethod m{};
    m.id = NYASH_METHOD_BIRTH;
    m.name = "birth";
    m.call = &detail::birth<T, P...>;
    detail::parameters<P...>::template describe<T>(m, args);
    m.doc = doc;
    return m;
}

template <class T> constexpr NyashMethod constructor() {
    NyashMethod m{};
    m.id = NYASH_METHOD_BIRTH;
    m.name = "birth";
    m.call = &detail::birth<T>;
    return m;
}

// box describes a class. The array must be constexpr, or at least outlive the plugin.
template <class T, size_t N>
constexpr NyashBox box(const char *name, uint32_t type_id, const NyashMethod (&methods)[N], const char *doc = nullptr,
                       uint32_t flags = 0, const char *threads = nullptr) {
    static_assert(alignof(T) <= 16, "the state of an instance is aligned for 16 bytes");
    NyashBox b{};
    b.name = name;
    b.type_id = type_id;
    b.doc = doc;
    b.flags = flags;
    b.threads = threads;
    b.state_size = sizeof(T);
    b.fini = [](void *state) noexcept { static_cast<T *>(state)->~T(); };
    b.methods = methods;
    b.method_count = N;
    bool made = false;
    for (size_t i = 0; i < N; i++) made = made || methods[i].id == NYASH_METHOD_BIRTH;
    if (!made) throw std::logic_error("a box needs nyash::constructor among its methods");
    return b;
}

// A flag of a method, which a box has none of.
template <class T, size_t N>
constexpr NyashBox box(const char *name, uint32_t type_id, const NyashMethod (&methods)[N], const char *doc, NyashMethodFlag flag,
                       const char *threads = nullptr) = delete;

} // namespace nyash

#endif // NYASH_HPP
