import MeteringModel

/// What is paid for, apart from how much: of one subscription.
enum FeeSlot: Hashable, Comparable {
    /// The plan, whichever it is.
    case plan
    case seats(FeatureKey)
    case addOn(AddOnKey)

    var kind: RatedLine.Kind {
        switch self {
        case .plan: .fee
        case .seats: .seats
        case .addOn: .addOn
        }
    }

    /// Key of the plan, the feature or the add-on.
    func item(_ terms: FeeTerms) -> String {
        switch self {
        case .plan: terms.plan?.rawValue ?? ""
        case .seats(let feature): feature.rawValue
        case .addOn(let key): key.rawValue
        }
    }
}

/// How often a fee comes.
enum FeeCycle: Hashable {
    case once
    case every(PeriodRule)

    init(_ terms: SubscriptionTerms) {
        let anchor = PeriodAnchor.subscription(start: terms.anchor ?? terms.start)
        switch terms.billingFrequency {
        case .monthly: self = .every(PeriodRule(unit: .month, anchor: anchor))
        case .quarterly: self = .every(PeriodRule(unit: .quarter, anchor: anchor))
        case .annual: self = .every(PeriodRule(unit: .year, anchor: anchor))
        case .once: self = .once
        }
    }
}

/// What is due for one slot as long as nothing changes: equal terms cost the same.
struct FeeTerms: Hashable {
    /// Of the slot `plan`; nil for others, which name what they are themselves.
    var plan: PlanKey?
    var currency: Currency
    var price: RecurringPrice
    /// Plans 1; seats and add-ons that are paid for, above 0.
    var quantity: Int64
    var cycle: FeeCycle

    /// Terms on one track set off against each other; those of different tracks have nothing to do
    /// with each other: one ends, another begins.
    var track: FeeTrack {
        FeeTrack(
            cycle: cycle, currency: currency, timing: price.timing, prorates: price.prorates)
    }
}

struct FeeTrack: Hashable {
    var cycle: FeeCycle
    var currency: Currency
    var timing: RecurringPrice.Timing
    var prorates: Bool
}

/// A stretch of time under the same terms.
struct FeeRun: Hashable {
    var from: Timestamp
    /// The first instant after.
    var to: Timestamp
    var terms: FeeTerms
    /// Where the price comes from at the beginning.
    var source: String
}
