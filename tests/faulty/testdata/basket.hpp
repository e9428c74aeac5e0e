// A basket of things with their prices, which finds them by name and by price. BASKET_PUT is how put
// enters a thing in both.
#include <map>
#include <set>
#include <string>

#include "nyash.hpp"

class Basket {
public:
    // Adds a thing, or changes its price, and tells whether it is new.
    bool put(std::string_view name, int64_t price) {
        const auto at = prices.find(std::string(name));
        if (at == prices.end()) {
            BASKET_PUT(std::string(name), price);
            return true;
        }
        if (price == at->second) return false;
        byPrice.emplace(price, name);
        byPrice.erase({at->second, at->first});
        at->second = price;
        return false;
    }

    int64_t price(std::string_view name) const { return get(name)->second; }

    int64_t size() const { return static_cast<int64_t>(prices.size()); }

    // The names of all things, the cheapest first, a line each.
    std::string cheapest() const {
        std::string text;
        for (const auto &[price, name] : byPrice) text += name + '\n';
        return text;
    }

    void remove(std::string_view name) {
        const auto at = get(name);
        byPrice.erase({at->second, at->first});
        prices.erase(at);
    }

private:
    std::map<std::string, int64_t>::const_iterator get(std::string_view name) const {
        const auto at = prices.find(std::string(name));
        if (at == prices.end()) throw nyash::error(NYASH_E_PLUGIN, "there is no " + std::string(name));
        return at;
    }

    std::map<std::string, int64_t> prices;
    std::set<std::pair<int64_t, std::string>> byPrice;
};

static constexpr NyashMethod methods[] = {
    nyash::constructor<Basket>(),
    nyash::method<&Basket::put>(1, "put", {"name", "price"}, "Adds a thing, or changes its price; whether it is new."),
    nyash::method<&Basket::price>(2, "price", {"name"}, "What a thing costs."),
    nyash::method<&Basket::size>(3, "size", "How many things there are."),
    nyash::method<&Basket::cheapest>(4, "cheapest", "The names of all things, the cheapest first."),
    nyash::method<&Basket::remove>(5, "remove", {"name"}, "Takes a thing away."),
};
static constexpr NyashBox basket = nyash::box<Basket>("Basket", 758, methods, "Things with their prices.");

NYASH_PLUGIN(&basket)
