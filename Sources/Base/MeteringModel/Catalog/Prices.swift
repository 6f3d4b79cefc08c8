/// What usage of a metered feature costs, per period of its quota.
///
/// Amounts are of the plan's currency. A unit price is for one unit as people write quantities
/// (10^scale of the meter's smallest units).
public struct UsagePrice: Hashable, Sendable {
    public enum Model: Hashable, Sendable {
        /// The same for each period, however much is used; prorated by the time in force.
        case flat(ExactDecimal)
        case perUnit(ExactDecimal)
        /// Each unit costs what its own tier says.
        case graduated([PriceTier])
        /// All units cost what the tier says that the total lies in.
        case volume([PriceTier])
        /// Each begun package of `size` smallest units.
        case package(size: Int64, ExactDecimal)
    }

    /// Usage that the price is not asked for.
    public enum Included: Hashable, Sendable {
        /// Smallest units of the meter.
        case units(Int64)
        /// The quota's limit, grants included: only overage is billed.
        case limit
    }

    public var model: Model
    public var included: Included
    /// Of one period of the quota, prorated by the time in force.
    public var minimum: ExactDecimal?
    /// Of one period of the quota.
    public var maximum: ExactDecimal?
    public var rounding: RoundingRule

    public init(
        model: Model, included: Included = .units(0), minimum: ExactDecimal? = nil,
        maximum: ExactDecimal? = nil, rounding: RoundingRule = .halfUp
    ) {
        self.model = model
        self.included = included
        self.minimum = minimum
        self.maximum = maximum
        self.rounding = rounding
    }
}

/// The price that is in force for a metered feature, with all that a bill must say of it.
public struct FeaturePrice: Hashable, Sendable {
    public var price: UsagePrice
    public var currency: Currency
    /// The plan's version that it is of: `plan pro v3`.
    public var source: String
    public init(price: UsagePrice, currency: Currency, source: String) {
        self.price = price
        self.currency = currency
        self.source = source
    }
}

/// A range of billable usage (what is included does not count) and what it costs.
public struct PriceTier: Hashable, Sendable {
    /// The last smallest unit in it; nil: all the rest. The tier begins after the one before.
    public var upTo: Int64?
    public var unit: ExactDecimal
    /// Once, as soon as usage reaches into the tier.
    public var flat: ExactDecimal
    public init(upTo: Int64?, unit: ExactDecimal, flat: ExactDecimal = .zero) {
        self.upTo = upTo
        self.unit = unit
        self.flat = flat
    }
}

/// What a plan, an add-on (each) or a seat (each) costs per billing cycle of the subscription.
public struct RecurringPrice: Hashable, Sendable {
    public enum Timing: String, Sendable, Hashable, Codable, CaseIterable {
        /// At the beginning of a cycle; changes in mid-cycle are charged or credited when they come.
        case advance
        /// At the end of a cycle, for the time in force.
        case arrears
    }
    public var amount: ExactDecimal
    public var timing: Timing
    /// Whether part of a cycle costs its part; otherwise a cycle that was begun costs all of it.
    public var prorates: Bool
    /// Seats only: so many are not charged for.
    public var included: Int64
    public var rounding: RoundingRule

    public init(
        amount: ExactDecimal, timing: Timing = .advance, prorates: Bool = true,
        included: Int64 = 0, rounding: RoundingRule = .halfUp
    ) {
        self.amount = amount
        self.timing = timing
        self.prorates = prorates
        self.included = included
        self.rounding = rounding
    }
}
