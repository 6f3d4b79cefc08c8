/// Why a decision came out as it did. Raw values are the contract of `/v1/check`.
public enum DecisionReason: String, Sendable, Hashable, Codable, CaseIterable {
    case ok, warning, overage, exhausted, held
    case notEntitled = "not_entitled"
    case suspended, expired
    case unknownCustomer = "unknown_customer"
    case unknownFeature = "unknown_feature"
    case stale, degraded
}

/// How sure a decision's numbers are.
public enum DecisionMode: String, Sendable, Hashable, Codable {
    case exact, leased, stale
}

/// The answer to "may this customer use n more of this feature?" A denial is a result, not an error.
/// Quantities are in the meter's smallest unit; `scale` says how many decimal places that is.
public struct Decision: Hashable, Sendable {
    public var isAllowed: Bool
    public var reason: DecisionReason
    public var customer: CustomerID
    public var feature: FeatureKey
    public var quantity: Int64
    public var scale: Int
    public var limit: Limit?
    public var used: Int64
    public var held: Int64
    public var remaining: Int64
    public var overage: Int64
    /// Nil for boolean and static features, and where there is no entitlement.
    public var period: Period?
    /// Labels of the thresholds that `used` stands at or above, lowest first.
    public var thresholdsCrossed: [String]
    /// Which contract line the limit comes from, e.g. `plan pro v3`.
    public var limitSource: String?
    /// The value of a static feature.
    public var value: String?
    public var mode: DecisionMode
    /// Events before this instant are in `used`. Nil when nothing has been consumed yet.
    public var usageCompleteTo: Timestamp?
    /// IANA name of the billing zone, for rendering `period`.
    public var timeZone: String
    /// The most by which a hard cap can be overrun in this mode, in units; 0 when exact.
    public var overrunBound: Int64
    /// A plan that allows more, when the catalog has one.
    public var upgradeHint: String?
    /// When it was decided, and the control plane's revision it was decided by: with the audit log
    /// they are enough to decide again.
    public var decidedAt: Timestamp?
    public var revision: Int64
    /// The customer of the tree whose quota is the tightest, when it is not the asked one's own.
    public var limitingCustomer: CustomerID?
    /// The quantity was charged with this decision, and `used` contains it.
    public var isCharged = false

    public init(
        isAllowed: Bool, reason: DecisionReason, customer: CustomerID, feature: FeatureKey,
        quantity: Int64, scale: Int = 0, limit: Limit? = nil, used: Int64 = 0, held: Int64 = 0,
        remaining: Int64 = 0, overage: Int64 = 0, period: Period? = nil,
        thresholdsCrossed: [String] = [], limitSource: String? = nil, value: String? = nil,
        mode: DecisionMode = .exact, usageCompleteTo: Timestamp? = nil, timeZone: String = "UTC",
        overrunBound: Int64 = 0, upgradeHint: String? = nil, decidedAt: Timestamp? = nil,
        revision: Int64 = 0, limitingCustomer: CustomerID? = nil
    ) {
        self.isAllowed = isAllowed
        self.reason = reason
        self.customer = customer
        self.feature = feature
        self.quantity = quantity
        self.scale = scale
        self.limit = limit
        self.used = used
        self.held = held
        self.remaining = remaining
        self.overage = overage
        self.period = period
        self.thresholdsCrossed = thresholdsCrossed
        self.limitSource = limitSource
        self.value = value
        self.mode = mode
        self.usageCompleteTo = usageCompleteTo
        self.timeZone = timeZone
        self.overrunBound = overrunBound
        self.upgradeHint = upgradeHint
        self.decidedAt = decidedAt
        self.revision = revision
        self.limitingCustomer = limitingCustomer
    }
}
