package import MeteringModel

/// One line of what a customer owes, with all that explains its amount.
package struct RatedLine: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Usage of a metered feature.
        case usage
        /// What lacks to the minimum of a usage price.
        case minimum
        /// The recurring fee of a plan.
        case fee
        case seats
        case addOn = "add_on"
    }

    /// One step of how the amount comes about; the parts' amounts add up to the line's.
    package struct Part: Sendable, Hashable {
        package enum Kind: String, Sendable, Hashable, CaseIterable {
            /// `quantity` at `unit`.
            case unit
            /// `quantity` in the tier (`lower`, `upper`] at `unit`, and `flat` when it was reached.
            case tier
            /// `quantity` packages at `unit` each.
            case package
            /// An amount for the time in force.
            case flat
            /// What is above the price's maximum, taken off.
            case maximum
            /// The minimum for the time in force.
            case minimum
            /// What the lines that a minimum tops up come to, taken off.
            case billed
        }
        package var kind: Kind
        /// Billable smallest units; nil where there are no bounds.
        package var lower: Int64?
        package var upper: Int64?
        /// Smallest units, packages or seats; negative where it takes back.
        package var quantity: Int64
        /// For one unit as people write quantities, one package, one seat.
        package var unit: ExactDecimal?
        package var flat: ExactDecimal?
        package var amount: ExactAmount

        package init(
            kind: Kind, lower: Int64? = nil, upper: Int64? = nil, quantity: Int64 = 0,
            unit: ExactDecimal? = nil, flat: ExactDecimal? = nil, amount: ExactAmount
        ) {
            self.kind = kind
            self.lower = lower
            self.upper = upper
            self.quantity = quantity
            self.unit = unit
            self.flat = flat
            self.amount = amount
        }
    }

    /// Which share of a period or cycle an amount is for.
    package struct Proration: Sendable, Hashable {
        /// Whole seconds.
        package var numerator: Int64
        package var denominator: Int64

        package init(numerator: Int64, denominator: Int64) {
            self.numerator = numerator
            self.denominator = denominator
        }
    }

    package var kind: Kind
    /// What the line is about, unique among a customer's lines: the same when it is rated again
    /// with another amount. Length-prefixed parts, so no part can pose as two.
    package var key: String
    package var feature: FeatureKey?
    package var meter: MeterKey?
    /// Id of the subscription that a fee belongs to.
    package var subscription: String?
    /// Key of the plan, the add-on or the seat feature that is paid for.
    package var item: String?
    /// Where the price comes from, e.g. `plan pro v3`.
    package var source: String
    /// The quota period, or the billing cycle.
    package var period: Period
    /// The part of it that the line is for.
    package var from: Timestamp
    package var to: Timestamp
    /// When it falls due: the end of a quota period; for fees see `FeeRating`.
    package var dueAt: Timestamp
    /// Billable smallest units, or seats or add-ons paid for; negative for credits.
    package var quantity: Int64
    /// Smallest units, or seats, that cost nothing.
    package var includedQuantity: Int64
    /// Decimal places of the quantities.
    package var scale: Int
    /// Where one price holds for all of the quantity.
    package var unitPrice: ExactDecimal?
    package var parts: [Part]
    /// Nil: the amount does not depend on time, or is for all of the period.
    package var proration: Proration?
    /// The amount before it was rounded: `4.5`, or `24.5/31` where no decimal is exactly that.
    package var exactText: String
    /// Minor units of the currency; negative for credits.
    package var amount: Int64
    package var currency: Currency

    package init(
        kind: Kind, key: String, feature: FeatureKey? = nil, meter: MeterKey? = nil,
        subscription: String? = nil, item: String? = nil, source: String, period: Period,
        from: Timestamp, to: Timestamp, dueAt: Timestamp, quantity: Int64,
        includedQuantity: Int64 = 0, scale: Int = 0, unitPrice: ExactDecimal? = nil,
        parts: [Part] = [], proration: Proration? = nil, exactText: String, amount: Int64,
        currency: Currency
    ) {
        self.kind = kind
        self.key = key
        self.feature = feature
        self.meter = meter
        self.subscription = subscription
        self.item = item
        self.source = source
        self.period = period
        self.from = from
        self.to = to
        self.dueAt = dueAt
        self.quantity = quantity
        self.includedQuantity = includedQuantity
        self.scale = scale
        self.unitPrice = unitPrice
        self.parts = parts
        self.proration = proration
        self.exactText = exactText
        self.amount = amount
        self.currency = currency
    }

    /// Parts as one key in which none can pose as two.
    static func key(_ parts: [String]) -> String {
        parts.map { "\($0.utf8.count):\($0)" }.joined()
    }
}
