#include "nyash.hpp"

class Counter {
public:
    explicit Counter(std::optional<int64_t> start) : n(start.value_or(0)) {}

    int64_t add(int64_t by) {
        if (by > 0 ? n > INT64_MAX - by : n < INT64_MIN - by)
            throw nyash::error(NYASH_E_PLUGIN, std::to_string(by) + " is too much");
        return n += by;
    }

    int64_t get() const { return n; }

private:
    int64_t n;
};

static constexpr NyashMethod methods[] = {
    nyash::constructor<Counter, std::optional<int64_t>>({"start"}),
    nyash::method<&Counter::add>(1, "add", {"by"}, "Adds to the count and returns it."),
    nyash::method<&Counter::get>(2, "get", "The count."),
};
static constexpr NyashBox counter = nyash::box<Counter>("Counter", 7, methods, "A count.");

NYASH_PLUGIN(&counter)
