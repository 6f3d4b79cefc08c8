import MeteringModel

extension RandomCatalog {
    mutating func currency() -> Currency? {
        one(of: [nil, Currency("EUR"), Currency("JPY"), Currency("KWD")])
    }

    mutating func amount() -> ExactDecimal {
        ExactDecimal(
            units: one(of: [0, 1, 49, 999, 100_000, 123_456_789_012]), scale: below(13))
    }

    mutating func recurringPrice(included: Int64 = 0) -> RecurringPrice {
        RecurringPrice(
            amount: amount(), timing: one(of: RecurringPrice.Timing.allCases), prorates: flag(),
            included: included, rounding: one(of: RoundingRule.allCases))
    }

    mutating func fee() -> RecurringPrice? { flag() ? recurringPrice() : nil }

    mutating func usagePrice() -> UsagePrice {
        UsagePrice(
            model: priceModel(), included: one(of: [.units(0), .units(units()), .limit]),
            minimum: maybe(amount()), maximum: maybe(amount()),
            rounding: one(of: RoundingRule.allCases))
    }

    private mutating func priceModel() -> UsagePrice.Model {
        switch below(5) {
        case 0: .flat(amount())
        case 1: .perUnit(amount())
        case 2: .graduated(tiers())
        case 3: .volume(tiers())
        default: .package(size: units(), amount())
        }
    }

    private mutating func tiers() -> [PriceTier] {
        (0..<below(3)).map { index in
            PriceTier(upTo: Int64(index + 1) * 1_000, unit: amount(), flat: amount())
        } + [PriceTier(upTo: nil, unit: amount(), flat: flag() ? .zero : amount())]
    }
}
