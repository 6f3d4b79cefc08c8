/// One metered entitlement of one customer, compiled: everything a decision or a crossing needs.
public struct Quota: Hashable, Sendable {
    public var customer: CustomerID
    public var feature: FeatureKey
    public var meter: MeterKey
    public var aggregation: Aggregation
    public var scale: Int
    public var limit: Limit
    public var enforcement: EnforcementMode
    public var counting: CountingMode
    public var durability: AdmissionDurability
    public var onOutage: OutagePolicy
    /// Sorted by level.
    public var thresholds: [Threshold]
    public var rule: PeriodRule
    /// E.g. `plan pro v3 + override ov_1`.
    public var source: String
    /// Hard: units past the limit, or days after it was reached, that are still let through.
    public var grace: Grace?
    /// Soft: units past the limit at which usage stops after all.
    public var overageMax: Int64?
    /// Extra units on top of `limit`, which is then the allowance alone: what is left of them
    /// follows from past usage (`GrantBurnDown`).
    public var grants: [Grant]

    /// A grant as a quota has it.
    public struct Grant: Hashable, Sendable {
        public var id: String
        public var terms: GrantTerms
        public init(id: String, terms: GrantTerms) {
            self.id = id
            self.terms = terms
        }
    }

    public init(
        customer: CustomerID, feature: FeatureKey, meter: MeterKey, aggregation: Aggregation,
        scale: Int, limit: Limit, enforcement: EnforcementMode, counting: CountingMode,
        durability: AdmissionDurability, onOutage: OutagePolicy, thresholds: [Threshold],
        rule: PeriodRule, source: String, grace: Grace? = nil, overageMax: Int64? = nil,
        grants: [Grant] = []
    ) {
        self.customer = customer
        self.feature = feature
        self.meter = meter
        self.aggregation = aggregation
        self.scale = scale
        self.limit = limit
        self.enforcement = enforcement
        self.counting = counting
        self.durability = durability
        self.onOutage = onOutage
        self.thresholds = thresholds
        self.rule = rule
        self.source = source
        self.grace = grace
        self.overageMax = overageMax
        self.grants = grants
    }
}

/// A threshold passed. `id` is the same on every replay: it is made of what the crossing is about.
public struct Crossing: Hashable, Sendable {
    public var customer: CustomerID
    public var feature: FeatureKey
    public var meter: MeterKey
    public var period: Period
    public var threshold: Threshold
    /// Limit in force when it was crossed; part of the identity, so a raised limit can be crossed anew.
    public var limit: Limit
    public var usedBefore: Int64
    public var usedAfter: Int64
    public var scale: Int
    public var source: String
    /// Time of the log record whose effect crossed it.
    public var crossedAt: Timestamp
    public var resolvedAt: Timestamp?

    public init(
        customer: CustomerID, feature: FeatureKey, meter: MeterKey, period: Period,
        threshold: Threshold, limit: Limit, usedBefore: Int64, usedAfter: Int64, scale: Int,
        source: String, crossedAt: Timestamp, resolvedAt: Timestamp? = nil
    ) {
        self.customer = customer
        self.feature = feature
        self.meter = meter
        self.period = period
        self.threshold = threshold
        self.limit = limit
        self.usedBefore = usedBefore
        self.usedAfter = usedAfter
        self.scale = scale
        self.source = source
        self.crossedAt = crossedAt
        self.resolvedAt = resolvedAt
    }

    /// Whether `used` is at or above the level that was crossed. Nothing is crossed by having used
    /// nothing.
    public func stands(at used: Int64) -> Bool {
        let floored: Limit = limit.finite.map { .finite(Swift.max($0, 0)) } ?? .unlimited
        guard let level = threshold.level(of: floored) else { return false }
        return used >= Swift.max(level, 1)
    }

    /// Stable across replays and installations: two keyed hashes of the identity, 32 hex digits.
    public var id: String {
        let limitText = limit.finite.map(String.init) ?? "unlimited"
        let parts = [
            customer.rawValue, feature.rawValue, String(period.start.microseconds),
            threshold.label, limitText,
        ]
        // Length-prefixed, so no part can pose as two.
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        let high = KeyHash(k0: 0x746f_6c6c, k1: 1).hash(text)
        let low = KeyHash(k0: 0x6761_7465, k1: 2).hash(text)
        return Self.hex(high) + Self.hex(low)
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
