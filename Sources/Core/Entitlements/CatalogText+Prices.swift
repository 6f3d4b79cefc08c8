import MeteringModel

extension CatalogText {
    static func fields(_ currency: Currency?, _ fee: RecurringPrice?) -> [Field] {
        [Field("currency", currency?.code), Field("fee", fee.map { text($0) })].compactMap { $0 }
    }

    /// `49`, or `{amount: 49, timing: arrears}` with what is not as usual.
    static func text(_ price: RecurringPrice) -> String {
        var members: [String] = []
        if price.included != 0 { members.append("included: \(price.included)") }
        if price.timing != .advance { members.append("timing: \(price.timing.rawValue)") }
        if !price.prorates { members.append("prorate: false") }
        if price.rounding != .halfUp { members.append("rounding: \(price.rounding.rawValue)") }
        if members.isEmpty { return price.amount.text }
        return map(["amount: \(price.amount.text)"] + members)
    }

    /// `{unit: 0.002, included: 1000}`
    static func text(_ price: UsagePrice, scale: Int) -> String {
        var members = [text(price.model, scale: scale)]
        switch price.included {
        case .units(0): break
        case .units(let units):
            members.append("included: \(DecimalQuantity.text(units: units, scale: scale))")
        case .limit: members.append("included: limit")
        }
        if let minimum = price.minimum { members.append("minimum: \(minimum.text)") }
        if let maximum = price.maximum { members.append("maximum: \(maximum.text)") }
        if price.rounding != .halfUp { members.append("rounding: \(price.rounding.rawValue)") }
        return map(members)
    }

    private static func text(_ model: UsagePrice.Model, scale: Int) -> String {
        switch model {
        case .flat(let amount): return "flat: \(amount.text)"
        case .perUnit(let unit): return "unit: \(unit.text)"
        case .graduated(let tiers):
            return "graduated: \(list(tiers.map { text($0, scale: scale) }))"
        case .volume(let tiers): return "volume: \(list(tiers.map { text($0, scale: scale) }))"
        case .package(let size, let amount):
            let units = DecimalQuantity.text(units: size, scale: scale)
            return "package: \(map(["size: \(units)", "amount: \(amount.text)"]))"
        }
    }

    private static func text(_ tier: PriceTier, scale: Int) -> String {
        var members: [String] = []
        if let upTo = tier.upTo {
            members.append("up_to: \(DecimalQuantity.text(units: upTo, scale: scale))")
        }
        members.append("unit: \(tier.unit.text)")
        if !tier.flat.isZero { members.append("flat: \(tier.flat.text)") }
        return map(members)
    }

    private static func map(_ members: [String]) -> String {
        "{\(members.joined(separator: ", "))}"
    }
}
