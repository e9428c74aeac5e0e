// A class with a method of each C++ type, and a second box.
#include "nyash.hpp"

class Other {
public:
    static constexpr const char *box_name = "Other";
    explicit Other(std::string text) : text_(std::move(text)) {}
    std::string_view text() const noexcept { return text_; }

private:
    std::string text_;
};

class Base {
public:
    int64_t answer() const { return 42; }

protected:
    std::string name_;
};

class All : private std::string, public Base {
public:
    All(int64_t calls, std::optional<double> factor) : calls_(calls), factor_(factor.value_or(1)) {
        if (calls < 0) throw std::invalid_argument("not below zero");
    }
    bool negate(bool v) { return !v; }
    int32_t small(int32_t v) { return v; }
    int64_t large(int64_t v) { return v; }
    float single(float v) { return v; }
    double scaled(double v) const { return v * factor_; }
    std::string text(const std::string &v) { return v + v; }
    std::string_view view(std::string_view v) { return v; }
    std::vector<uint8_t> reversed(std::vector<uint8_t> v) { return {v.rbegin(), v.rend()}; }
    nyash::bytes_view bytes(nyash::bytes_view v) noexcept { return v; }
    nyash::blob blob(nyash::blob_view v) { return nyash::blob(v.data(), v.size()); }
    std::string joined(const Other &a, Other &b) { return std::string(a.text()) + std::string(b.text()); }
    Other made(std::string_view text) { return Other(std::string(text)); }
    All copy() const { return *this; }
    void take(All &other) { std::swap(calls_, other.calls_); }
    int64_t calls() const { return calls_; }
    void fail(std::string_view how) {
        if (how == "code") throw nyash::error(1234, "a code of its own");
        if (how == "memory") throw std::bad_alloc();
        if (how == "number") throw 5;
        throw std::runtime_error("failed: " + std::string(how));
    }
    int64_t sum(int64_t a, std::optional<int64_t> b) const { return a + b.value_or(100); }

private:
    int64_t calls_;
    double factor_;
};

static constexpr NyashMethod methods[] = {
    nyash::constructor<All, int64_t, std::optional<double>>({"calls", "factor"}),
    nyash::method<&All::negate>(1, "negate", {"v"}),
    nyash::method<&All::small>(2, "small", {"v"}),
    nyash::method<&All::large>(3, "large", {"v"}),
    nyash::method<&All::single>(4, "single", {"v"}),
    nyash::method<&All::scaled>(5, "scaled", {"v"}),
    nyash::method<&All::text>(6, "text", {"v"}, "The text twice.", 100),
    nyash::method<&All::view>(7, "view", {"v"}),
    nyash::method<&All::reversed>(8, "reversed", {"v"}),
    nyash::method<&All::bytes>(9, "bytes", {"v"}),
    nyash::method<&All::blob>(10, "blob", {"v"}),
    nyash::method<&All::joined>(11, "joined", {"a", "b"}),
    nyash::method<&All::made>(12, "made", {"text"}),
    nyash::method<&All::copy>(13, "copy"),
    nyash::method<&All::take>(14, "take", {"other"}),
    nyash::method<&All::calls>(15, "calls"),
    nyash::method<&All::fail>(16, "fail", {"how"}),
    nyash::method<&All::sum>(17, "sum", {"a", "b"}),
    nyash::method<&Base::answer, All>(18, "answer"),
};
static constexpr NyashBox all = nyash::box<All>("All", 30, methods, "Every type.");

static constexpr NyashMethod other_methods[] = {
    nyash::constructor<Other, std::string>({"text"}),
    nyash::method<&Other::text>(1, "text"),
};
static constexpr NyashBox other = nyash::box<Other>(Other::box_name, 31, other_methods);

NYASH_PLUGIN(&all, &other)
