/// Who a customer is and what belongs to it, whatever it has bought.
public struct CustomerProfile: Hashable, Sendable {
    public var name: String?
    /// IANA name of the billing zone.
    public var timeZone: String
    public var parent: CustomerID?
    /// Features that the customer's own subscriptions do not name come from its parent.
    public var inherits: Bool
    public var environment: Environment
    public var subjects: [Subject]
    /// Names in other systems, e.g. `stripe`: `cus_123`.
    public var externalIDs: [String: String]
    /// Who looks after this customer.
    public var owner: String?
    public var metadata: [String: String]

    /// A subject and the environment whose usage it makes.
    public struct Subject: Hashable, Sendable {
        public var id: SubjectID
        public var environment: Environment
        public init(_ id: SubjectID, environment: Environment = .production) {
            self.id = id
            self.environment = environment
        }
    }

    public init(
        name: String? = nil, timeZone: String = "UTC", parent: CustomerID? = nil,
        inherits: Bool = true, environment: Environment = .production, subjects: [Subject] = [],
        externalIDs: [String: String] = [:], owner: String? = nil, metadata: [String: String] = [:]
    ) {
        self.name = name
        self.timeZone = timeZone
        self.parent = parent
        self.inherits = inherits
        self.environment = environment
        self.subjects = subjects
        self.externalIDs = externalIDs
        self.owner = owner
        self.metadata = metadata
    }
}

/// What usage is for. All but production is counted and limited apart, and never billed.
public enum Environment: String, Sendable, Hashable, Codable, CaseIterable {
    case production, sandbox, `internal`, test

    public var isBillable: Bool { self == .production }

    /// The customer whose counters a subject of another environment than its customer's uses:
    /// `acme#sandbox` beside `acme`, with the same entitlements.
    public func customer(_ id: CustomerID) -> CustomerID {
        self == .production ? id : CustomerID("\(id)#\(rawValue)")
    }
}

/// One subscription: a plan's version, bought for a time.
public struct SubscriptionTerms: Hashable, Sendable {
    public enum Renewal: String, Sendable, Hashable, Codable, CaseIterable {
        case automatic, manual, none
    }
    public enum BillingFrequency: String, Sendable, Hashable, Codable, CaseIterable {
        case monthly, quarterly, annual, once
    }
    public struct AddOn: Hashable, Sendable {
        public var key: AddOnKey
        public var quantity: Int64
        /// Nil: as long as the subscription.
        public var start: Timestamp?
        public var end: Timestamp?
        public init(
            key: AddOnKey, quantity: Int64 = 1, start: Timestamp? = nil, end: Timestamp? = nil
        ) {
            self.key = key
            self.quantity = quantity
            self.start = start
            self.end = end
        }
    }
    public var plan: PlanKey
    /// Pinned until migrated. 0 only in documents: the latest.
    public var planVersion: Int
    public var start: Timestamp
    /// First instant after; nil: open.
    public var end: Timestamp?
    /// First instant after the trial.
    public var trialEnd: Timestamp?
    /// Whether the subscription goes on, paid, when its trial is over; otherwise it expires then.
    public var trialConverts: Bool
    public var renewal: Renewal
    public var billingFrequency: BillingFrequency
    /// Where periods with the anchor `subscription` begin; nil: at `start`.
    public var anchor: Timestamp?
    public var addOns: [AddOn]
    /// Seats bought, by seat feature; replace the plan's number.
    public var seats: [FeatureKey: Limit]

    public init(
        plan: PlanKey, planVersion: Int = 0, start: Timestamp, end: Timestamp? = nil,
        trialEnd: Timestamp? = nil, trialConverts: Bool = false, renewal: Renewal = .automatic,
        billingFrequency: BillingFrequency = .monthly, anchor: Timestamp? = nil,
        addOns: [AddOn] = [], seats: [FeatureKey: Limit] = [:]
    ) {
        self.plan = plan
        self.planVersion = planVersion
        self.start = start
        self.end = end
        self.trialEnd = trialEnd
        self.trialConverts = trialConverts
        self.renewal = renewal
        self.billingFrequency = billingFrequency
        self.anchor = anchor
        self.addOns = addOns
        self.seats = seats
    }
}

/// A deviation from the plan for one customer and feature, for a time.
public struct OverrideTerms: Hashable, Sendable {
    /// What is replaced; members that are nil stay as the plan has them.
    public enum Value: Hashable, Sendable {
        case boolean(Bool)
        case value(String)
        case metered(MeteredChange)
        case seats(Limit)
    }
    public struct MeteredChange: Hashable, Sendable {
        public var limit: Limit?
        public var period: PeriodUnit?
        public var anchor: MeteredEntitlement.Anchor?
        public var thresholds: [Threshold]?
        public var enforcement: EnforcementMode?
        public var onOutage: OutagePolicy?
        public var grace: Grace?
        public var overageMax: Int64?
        public init(
            limit: Limit? = nil, period: PeriodUnit? = nil,
            anchor: MeteredEntitlement.Anchor? = nil, thresholds: [Threshold]? = nil,
            enforcement: EnforcementMode? = nil, onOutage: OutagePolicy? = nil,
            grace: Grace? = nil, overageMax: Int64? = nil
        ) {
            self.limit = limit
            self.period = period
            self.anchor = anchor
            self.thresholds = thresholds
            self.enforcement = enforcement
            self.onOutage = onOutage
            self.grace = grace
            self.overageMax = overageMax
        }
    }
    public var feature: FeatureKey
    public var value: Value
    public var binding: Binding?
    public var start: Timestamp
    public var end: Timestamp?
    /// Of several, the one with the highest priority holds, then the latest start, then the id.
    public var priority: Int
    public var reason: String
    public init(
        feature: FeatureKey, value: Value, binding: Binding? = nil, start: Timestamp,
        end: Timestamp? = nil, priority: Int = 0, reason: String
    ) {
        self.feature = feature
        self.value = value
        self.binding = binding
        self.start = start
        self.end = end
        self.priority = priority
        self.reason = reason
    }
}

/// Extra units of a metered feature, used up after the plan's allowance: lowest priority number
/// first, then the earliest expiry, then the earliest start, then the id.
public struct GrantTerms: Hashable, Sendable {
    public var feature: FeatureKey
    /// Units of the feature's meter.
    public var amount: Int64
    public var priority: Int
    public var start: Timestamp
    public var expires: Timestamp?
    /// At the end of each of the quota's periods what is left becomes
    /// `min(rolloverMax, max(rolloverMin, left))`; nil: all of it stays. 0 and 0: nothing does.
    public var rolloverMin: Int64
    public var rolloverMax: Int64?
    public var reason: String
    public init(
        feature: FeatureKey, amount: Int64, priority: Int = 0, start: Timestamp,
        expires: Timestamp? = nil, rolloverMin: Int64 = 0, rolloverMax: Int64? = nil, reason: String
    ) {
        self.feature = feature
        self.amount = amount
        self.priority = priority
        self.start = start
        self.expires = expires
        self.rolloverMin = rolloverMin
        self.rolloverMax = rolloverMax
        self.reason = reason
    }
}

/// A time in which a customer may use nothing, or nothing of one product.
public struct SuspensionTerms: Hashable, Sendable {
    /// Nil: everything.
    public var product: ProductKey?
    public var start: Timestamp
    public var end: Timestamp?
    public var reason: String
    public init(
        product: ProductKey? = nil, start: Timestamp, end: Timestamp? = nil, reason: String
    ) {
        self.product = product
        self.start = start
        self.end = end
        self.reason = reason
    }
}

/// A product taken away from a customer, until it is reinstated.
public struct RevocationTerms: Hashable, Sendable {
    public var product: ProductKey
    public var start: Timestamp
    /// When it was reinstated.
    public var end: Timestamp?
    public var reason: String
    public init(product: ProductKey, start: Timestamp, end: Timestamp? = nil, reason: String) {
        self.product = product
        self.start = start
        self.end = end
        self.reason = reason
    }
}
