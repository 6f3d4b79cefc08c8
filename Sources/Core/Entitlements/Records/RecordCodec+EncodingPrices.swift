import MeteringModel

extension RecordCodec {
    /// An exact decimal as text: programs that read numbers as binary floats keep its digits.
    static func decimal(_ decimal: ExactDecimal) -> JSONValue { .string(decimal.text) }

    /// The amount alone where the rest is as usual.
    static func encode(_ price: RecurringPrice) -> JSONValue {
        if price == RecurringPrice(amount: price.amount) { return decimal(price.amount) }
        return .members([
            "amount": decimal(price.amount),
            "included": price.included == 0 ? nil : .integer(price.included),
            "timing": word(price.timing, usual: .advance),
            "prorate": price.prorates ? nil : .bool(false),
            "rounding": word(price.rounding, usual: .halfUp),
        ])
    }

    static func encode(_ price: UsagePrice, scale: Int) -> JSONValue {
        var members = model(price.model, scale: scale)
        switch price.included {
        case .units(0): break
        case .units(let units): members["included"] = quantity(units, scale: scale)
        case .limit: members["included"] = .string("limit")
        }
        members["minimum"] = price.minimum.map { decimal($0) }
        members["maximum"] = price.maximum.map { decimal($0) }
        members["rounding"] = word(price.rounding, usual: .halfUp)
        return .object(members)
    }

    private static func model(_ model: UsagePrice.Model, scale: Int) -> [String: JSONValue] {
        switch model {
        case .flat(let amount): ["flat": decimal(amount)]
        case .perUnit(let unit): ["unit": decimal(unit)]
        case .graduated(let tiers): ["graduated": .array(tiers.map { tier($0, scale: scale) })]
        case .volume(let tiers): ["volume": .array(tiers.map { tier($0, scale: scale) })]
        case .package(let size, let amount):
            [
                "package": .object([
                    "size": quantity(size, scale: scale), "amount": decimal(amount),
                ])
            ]
        }
    }

    private static func tier(_ tier: PriceTier, scale: Int) -> JSONValue {
        .members([
            "up_to": tier.upTo.map { quantity($0, scale: scale) },
            "unit": tier.unit.isZero && !tier.flat.isZero ? nil : decimal(tier.unit),
            "flat": tier.flat.isZero ? nil : decimal(tier.flat),
        ])
    }

    static func encode(_ target: StripeMapping.MeterTarget) -> JSONValue {
        .members([
            "event_name": .string(target.eventName), "window": word(target.window, usual: .hour),
        ])
    }
}
