// A box that calls the boxes of its host in every way, as uses.c does.
#include <thread>

#include "nyash_use.hpp"

struct CounterBox {
    static constexpr const char *box_name = "CounterBox";
};
struct ClockBox {
    static constexpr const char *box_name = "ClockBox";
};
struct SecretBox {
    static constexpr const char *box_name = "SecretBox";
};
struct MissingBox {
    static constexpr const char *box_name = "MissingBox";
};
struct UnlistedBox {
    static constexpr const char *box_name = "UnlistedBox";
};
using Counter = nyash::held<CounterBox>;

static Counter kept; // outlives what the plugin lives

class User {
public:
    explicit User(std::optional<int64_t> start)
        : counter(start ? nyash::make<CounterBox>(*start) : nyash::make<CounterBox>()) {}
    int64_t add(int64_t n) { return counter.call<int64_t>("add", n); }
    int64_t get() const { return counter.call<int64_t>("get"); }
    Counter fresh(int64_t n) { return nyash::make<CounterBox>(n); }
    Counter badly() { return nyash::make<CounterBox>("seven"); }
    void fail(int32_t code, const std::string &text) {
        try {
            counter.call("fail", code, text);
        } catch (const nyash::call_error &e) {
            if (e.code() != code || e.what() != "CounterBox.fail: " + text) throw std::runtime_error(e.what());
            throw;
        }
    }
    int64_t text(int64_t n) {
        auto text = counter.call<std::string>("text", n);
        if (text != std::string(text.size(), 'x')) throw std::runtime_error("another text");
        return static_cast<int64_t>(text.size());
    }
    int64_t bytes(int64_t n) { return static_cast<int64_t>(counter.call<std::vector<uint8_t>>("bytes", n).size()); }
    int64_t blob(int64_t n) {
        auto data = counter.call<nyash::blob>("blob", n);
        int64_t sum = 0;
        for (size_t i = 0; i < data.size(); i++) sum += data.data()[i];
        return sum;
    }
    int64_t sum(int64_t n) {
        std::vector<uint8_t> data(static_cast<size_t>(n), 2);
        return counter.call<int64_t>("sum", nyash::blob_view(data.data(), data.size()));
    }
    int64_t echo(int64_t n) {
        return static_cast<int64_t>(counter.call<std::string>("echo", std::string(static_cast<size_t>(n), 'y')).size());
    }
    std::string types() {
        auto b = counter.call<bool>("echo", true);
        auto i = counter.call<int32_t>("echo", INT32_MIN);
        counter.call<int64_t>("echo", INT64_MIN);
        auto from_i32 = counter.call<int64_t>("echo", int32_t{-3});
        auto f = counter.call<float>("echo", 0.5f);
        auto d = counter.call<double>("echo", -2.25);
        auto from_f32 = counter.call<double>("echo", 1.5f);
        auto bytes = counter.call<std::vector<uint8_t>>("echo", std::vector<uint8_t>{0, 'z'});
        bool given = counter.call<std::optional<int64_t>>("void").has_value();
        if (counter.call<std::optional<int64_t>>("echo", INT64_MIN) != INT64_MIN) throw std::runtime_error("nothing");
        char line[200];
        std::snprintf(line, sizeof line, "%d %d %ld %g %g %g %zu %d", b, i, static_cast<long>(from_i32), static_cast<double>(f), d,
                      from_f32, bytes.size(), given);
        return line;
    }
    int64_t lent(nyash::lent<CounterBox> other) { return other.call<int64_t>("add", int64_t{1}); }
    nyash::lent<CounterBox> back(const nyash::lent<CounterBox> &other) { return other; }
    Counter clone() { return counter.call<Counter>("clone"); }
    int64_t same() {
        auto twice = counter.call<Counter>("same");
        counter.call("echo", twice);
        Counter again = std::move(twice);
        again = counter.call<Counter>("same");
        return twice ? 0 : again.call<int64_t>("get");
    }
    int64_t clock() {
        auto one = nyash::make<ClockBox>(), two = nyash::make<ClockBox>();
        auto first = one.call<int64_t>("now");
        one.reset();
        return first + two.call<int64_t>("now");
    }
    void broken(int64_t how) { counter.call("break", how); }
    void nothing() {
        counter.call("void");
        counter.call("silent");
        counter.call("clone");
        counter.call("blob", int64_t{9});
    }
    Counter wrong(std::string_view what) {
        char elsewhere[16] = "get"; // a name that is no literal
        if (what == "unlisted") nyash::make<UnlistedBox>();
        if (what == "unlistedMethod") nyash::make<ClockBox>().call("set");
        if (what == "refused") nyash::make<SecretBox>();
        if (what == "missing") nyash::make<MissingBox>();
        if (what == "missingMethod") counter.call("none");
        if (what == "type") counter.call<std::string>("get");
        if (what == "typeOfHold") counter.call<int64_t>("clone");
        if (what == "typeOfBlob") counter.call<int64_t>("blob", int64_t{9});
        if (what == "void") counter.call<int64_t>("void");
        if (what == "empty") Counter().call("get");
        if (what == "emptyArgument") counter.call("echo", Counter());
        if (what == "birth") counter.call("birth");
        if (what == "notUTF8") counter.call("echo", 1.0, "\377");
        if (what == "otherBox") {
            counter.call<nyash::held<ClockBox>>("clone").call<int64_t>("now");
        }
        if (what == "secondThoughts") {
            auto made = nyash::make<CounterBox>();
            made.call("none");
            return made;
        }
        if (what == "returnedEmpty") return Counter();
        if (what == "names") {
            int64_t n = counter.call<int64_t>(elsewhere);
            std::strcpy(elsewhere, "sum");
            n += counter.call<int64_t>(elsewhere, nyash::blob_view());
            std::string long_name(60, 'n');
            counter.call(long_name.c_str(), n);
        }
        throw std::runtime_error("nothing went wrong");
    }
    int64_t undeclared() { return 0; }
    int64_t reenter(int64_t method) { return counter.call<int64_t>("back", nyash::own(*this), method); }
    int64_t keep() {
        if (!kept) kept = nyash::make<CounterBox>();
        try {
            return kept.call<int64_t>("add", int64_t{1});
        } catch (const nyash::call_error &) {
            kept.reset();
            throw;
        }
    }
    void threads() {
        std::vector<std::thread> all;
        for (int i = 0; i < 4; i++)
            all.emplace_back([] {
                auto made = nyash::make<CounterBox>();
                for (int64_t n = 1; n <= 50; n++)
                    if (made.call<int64_t>("add", int64_t{1}) != n) std::abort();
            });
        for (auto &thread : all) thread.join();
    }

private:
    Counter counter;
};

static constexpr NyashMethod methods[] = {
    nyash::constructor<User, std::optional<int64_t>>({"start"}),
    nyash::method<&User::add>(1, "add", {"n"}),
    nyash::method<&User::get>(2, "get"),
    nyash::method<&User::fresh>(3, "fresh", {"n"}),
    nyash::method<&User::badly>(4, "badly"),
    nyash::method<&User::fail>(5, "fail", {"code", "text"}),
    nyash::method<&User::text>(6, "text", {"n"}),
    nyash::method<&User::bytes>(7, "bytes", {"n"}),
    nyash::method<&User::blob>(8, "blob", {"n"}),
    nyash::method<&User::sum>(9, "sum", {"n"}),
    nyash::method<&User::echo>(10, "echo", {"n"}),
    nyash::method<&User::types>(11, "types"),
    nyash::method<&User::lent>(12, "lent", {"other"}),
    nyash::method<&User::back>(13, "back", {"other"}),
    nyash::method<&User::clone>(14, "clone"),
    nyash::method<&User::same>(15, "same"),
    nyash::method<&User::clock>(16, "clock"),
    nyash::method<&User::broken>(17, "broken", {"how"}),
    nyash::method<&User::nothing>(18, "nothing"),
    nyash::method<&User::wrong>(19, "wrong", {"what"}),
    nyash::method<&User::reenter>(20, "reenter", {"method"}),
    nyash::method<&User::keep>(21, "keep"),
    nyash::method<&User::threads>(22, "threads"),
};
static constexpr NyashBox user =
    nyash::uses(nyash::box<User>("UserBox", 5, methods), {"CounterBox", "ClockBox.now", "SecretBox", "MissingBox", "EventBox.publish:file.*"});

NYASH_PLUGIN(&user)
NYASH_CONNECT
