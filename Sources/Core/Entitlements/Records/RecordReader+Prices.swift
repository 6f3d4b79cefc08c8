import MeteringModel

extension RecordReader {
    /// The models of a usage price, each the name of the member that says it.
    private static let priceModels = ["flat", "unit", "graduated", "volume", "package"]

    // MARK: money

    /// An exact decimal number: `10`, `0.002`, `"0.000005"`. What it may be is checked when the
    /// catalog is compiled.
    mutating func decimal(_ value: JSONValue, _ what: String, at name: String?) -> ExactDecimal? {
        guard let text = value.digits, let digits = try? Self.digits(of: text) else {
            report(name, .invalidType, "expected a number for \(what), found \(describe(value))")
            return nil
        }
        if let decimal = ExactDecimal(digits) { return decimal }
        if Self.isNumber(digits) {
            report(name, .tooLarge, "\(text) has more digits than \(what) can have")
        } else {
            report(name, .invalidType, "expected a number for \(what), found \(describe(value))")
        }
        return nil
    }

    /// Whether it is of the form of a number, however long.
    private static func isNumber(_ digits: String) -> Bool {
        do {
            _ = try DecimalQuantity(digits)
            return true
        } catch {
            return error != .notANumber
        }
    }

    mutating func decimal(_ name: String, in members: inout Members) -> ExactDecimal? {
        guard let value = members.take(name) else { return nil }
        return decimal(value, name, at: name)
    }

    private mutating func requiredDecimal(
        _ name: String, in members: inout Members
    ) -> ExactDecimal? {
        required(name, in: &members).flatMap { decimal($0, name, at: name) }
    }

    mutating func currency(in members: inout Members) -> Currency? {
        guard let text = text("currency", in: &members) else { return nil }
        if let currency = Currency(text) { return currency }
        let hint = Currency(text.uppercased()).map { "; did you mean \($0)?" } ?? ""
        report(
            "currency", .invalidValue,
            "\"\(text)\" is not a currency: three capital letters of ISO 4217, e.g. EUR\(hint)")
        return nil
    }

    // MARK: recurring prices

    /// A fee or the price of a seat: `49.00`, or
    /// `{amount: "49.00", timing: arrears, prorate: false, rounding: half_up}`.
    /// - Parameter takesIncluded: whether some may cost nothing.
    mutating func recurringPrice(
        _ name: String, in members: inout Members, takesIncluded: Bool = false
    ) -> RecurringPrice? {
        guard let value = members.take(name) else { return nil }
        guard case .object = value else {
            return decimal(value, name, at: name).map { RecurringPrice(amount: $0) }
        }
        return within(name) { reader in
            guard var members = reader.open(value, "a \(name)") else { return nil }
            let amount = reader.requiredDecimal("amount", in: &members)
            var price = RecurringPrice(amount: amount ?? .zero)
            price.timing = reader.choice("timing", in: &members, default: .advance)
            price.prorates = reader.flag("prorate", in: &members, default: true)
            price.rounding = reader.choice("rounding", in: &members, default: .halfUp)
            var known = ["amount", "timing", "prorate", "rounding"]
            if takesIncluded {
                known.insert("included", at: 1)
                price.included = reader.amount("included", in: &members, scale: 0) ?? 0
            }
            reader.close(members, known: known)
            return price
        }
    }

    // MARK: usage prices

    /// What usage costs: one of the models, with what is included, minimum, maximum, rounding.
    mutating func usagePrice(in members: inout Members, scale: Int) -> UsagePrice? {
        guard let value = members.take("price") else { return nil }
        return within("price") { reader in
            guard var members = reader.open(value, "a price") else { return nil }
            let model = reader.priceModel(in: &members, scale: scale)
            var price = UsagePrice(model: model ?? .flat(.zero))
            price.included = reader.included(in: &members, scale: scale)
            price.minimum = reader.decimal("minimum", in: &members)
            price.maximum = reader.decimal("maximum", in: &members)
            price.rounding = reader.choice("rounding", in: &members, default: .halfUp)
            reader.close(
                members,
                known: Self.priceModels + ["included", "minimum", "maximum", "rounding"])
            return model.map { _ in price }
        }
    }

    private mutating func priceModel(
        in members: inout Members, scale: Int
    ) -> UsagePrice.Model? {
        let named = Self.priceModels.filter { members.has($0) }
        guard named.count == 1 else {
            for name in named { _ = members.take(name) }
            let found = named.isEmpty ? "none" : named.joined(separator: " and ")
            report(
                nil, .invalidValue,
                "a price has one of flat, unit, graduated, volume and package; found \(found)")
            return nil
        }
        switch named[0] {
        case "flat": return decimal("flat", in: &members).map { .flat($0) }
        case "unit": return decimal("unit", in: &members).map { .perUnit($0) }
        case "graduated": return .graduated(tiers("graduated", in: &members, scale: scale))
        case "volume": return .volume(tiers("volume", in: &members, scale: scale))
        default: return package(in: &members, scale: scale)
        }
    }

    /// `[{up_to: 1000, unit: "0.01"}, {unit: "0.005", flat: 5}]`
    private mutating func tiers(
        _ name: String, in members: inout Members, scale: Int
    ) -> [PriceTier] {
        list(name, in: &members) { reader, value in
            guard var members = reader.open(value, "a tier") else { return nil }
            let upTo = members.take("up_to").flatMap {
                reader.quantity($0, "up_to", scale: scale, at: "up_to")
            }
            let unit = reader.decimal("unit", in: &members)
            let flat = reader.decimal("flat", in: &members)
            if unit == nil, flat == nil, !members.has("unit"), !members.has("flat") {
                reader.report(nil, .missing, "a tier needs \"unit\" or \"flat\"")
            }
            reader.close(members, known: ["up_to", "unit", "flat"])
            return PriceTier(upTo: upTo, unit: unit ?? .zero, flat: flat ?? .zero)
        }
    }

    private mutating func package(in members: inout Members, scale: Int) -> UsagePrice.Model? {
        guard let value = members.take("package") else { return nil }
        return within("package") { reader in
            guard var members = reader.open(value, "a package") else { return nil }
            let size = reader.required("size", in: &members).flatMap {
                reader.quantity($0, "size", scale: scale, at: "size")
            }
            let amount = reader.requiredDecimal("amount", in: &members)
            reader.close(members, known: ["size", "amount"])
            guard let size, let amount else { return nil }
            return .package(size: size, amount)
        }
    }

    /// A number of units, or `limit`.
    private mutating func included(
        in members: inout Members, scale: Int
    ) -> UsagePrice.Included {
        guard let value = members.take("included") else { return .units(0) }
        if case .string("limit") = value { return .limit }
        return .units(quantity(value, "included", scale: scale, at: "included") ?? 0)
    }

    // MARK: meters of Stripe

    /// `{event_name: llm_tokens, window: day}`
    mutating func stripeMeter(_ value: JSONValue) -> StripeMapping.MeterTarget? {
        guard var members = open(value, "a meter of Stripe") else { return nil }
        let name = requiredText("event_name", in: &members)
        let window: StripeMapping.MeterTarget.Window = choice(
            "window", in: &members, default: .hour)
        close(members, known: ["event_name", "window"])
        return name.map { StripeMapping.MeterTarget(eventName: $0, window: window) }
    }
}
