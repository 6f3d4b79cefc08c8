/// Something that is sold: plans and add-ons belong to one. What names none belongs to
/// `ProductKey.default`.
public struct ProductDefinition: Hashable, Sendable {
    public var key: ProductKey
    public var name: String?
    /// The plan that a provisioning request which names only the product means.
    public var defaultPlan: PlanKey?
    public init(key: ProductKey, name: String? = nil, defaultPlan: PlanKey? = nil) {
        self.key = key
        self.name = name
        self.defaultPlan = defaultPlan
    }
}

/// One version of a plan. Versions never change: other content is another version.
public struct PlanDefinition: Hashable, Sendable {
    public var key: PlanKey
    /// 1, 2, …; 0 in a document, where it is not numbered yet.
    public var version: Int
    public var name: String?
    public var product: ProductKey
    public var entitlements: [FeatureKey: EntitlementDefinition]
    public var bindings: [FeatureKey: Binding]
    /// Of all its prices; nil for a plan that has none.
    public var currency: Currency?
    /// Per billing cycle.
    public var fee: RecurringPrice?
    public init(
        key: PlanKey, version: Int = 0, name: String? = nil, product: ProductKey = .default,
        entitlements: [FeatureKey: EntitlementDefinition], bindings: [FeatureKey: Binding] = [:],
        currency: Currency? = nil, fee: RecurringPrice? = nil
    ) {
        self.key = key
        self.version = version
        self.name = name
        self.product = product
        self.entitlements = entitlements
        self.bindings = bindings
        self.currency = currency
        self.fee = fee
    }
}

/// A module bought on top of a plan: limits and seats are added (times the quantity bought),
/// boolean features switched on, static values replaced.
public struct AddOnDefinition: Hashable, Sendable {
    public var key: AddOnKey
    public var name: String?
    public var product: ProductKey
    public var entitlements: [FeatureKey: EntitlementDefinition]
    /// Of its fee; nil without one.
    public var currency: Currency?
    /// For each, per billing cycle of the subscription.
    public var fee: RecurringPrice?
    public init(
        key: AddOnKey, name: String? = nil, product: ProductKey = .default,
        entitlements: [FeatureKey: EntitlementDefinition], currency: Currency? = nil,
        fee: RecurringPrice? = nil
    ) {
        self.key = key
        self.name = name
        self.product = product
        self.entitlements = entitlements
        self.currency = currency
        self.fee = fee
    }
}

/// What prices of a Stripe account stand for here.
public struct StripeMapping: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        case plan(PlanKey)
        /// The item's quantity is the add-on's.
        case addOn(AddOnKey)
        /// The item's quantity is the number of seats bought.
        case seats(FeatureKey)
    }
    public enum PaymentFailure: String, Sendable, Hashable, Codable, CaseIterable {
        case suspend, ignore
    }
    /// Where usage of a meter is reported to.
    public struct MeterTarget: Hashable, Sendable {
        /// One reported event sums up so much time.
        public enum Window: String, Sendable, Hashable, Codable, CaseIterable {
            case hour, day
        }
        /// Of the meter in Stripe.
        public var eventName: String
        public var window: Window
        public init(eventName: String, window: Window = .hour) {
            self.eventName = eventName
            self.window = window
        }
    }
    /// By price id, lookup key or product id of Stripe.
    public var prices: [String: Target]
    /// Meters whose usage is reported; others stay here.
    public var meters: [MeterKey: MeterTarget]
    public var onPaymentFailed: PaymentFailure
    /// Failed attempts from which on a customer is suspended.
    public var failedAttempts: Int
    public init(
        prices: [String: Target] = [:], meters: [MeterKey: MeterTarget] = [:],
        onPaymentFailed: PaymentFailure = .suspend, failedAttempts: Int = 1
    ) {
        self.prices = prices
        self.meters = meters
        self.onPaymentFailed = onPaymentFailed
        self.failedAttempts = failedAttempts
    }
}

/// A customer as a catalog document manages it.
public struct CustomerDefinition: Hashable, Sendable {
    public struct Subscription: Hashable, Sendable {
        /// Nil: the product's name (a customer has one subscription per product at a time).
        public var id: String?
        /// `terms.planVersion` 0: the latest when it is new, else the one it is pinned to.
        public var terms: SubscriptionTerms
        public init(id: String? = nil, terms: SubscriptionTerms) {
            self.id = id
            self.terms = terms
        }
    }
    public var id: CustomerID
    public var profile: CustomerProfile
    public var subscriptions: [Subscription]
    public init(
        id: CustomerID, profile: CustomerProfile = CustomerProfile(),
        subscriptions: [Subscription] = []
    ) {
        self.id = id
        self.profile = profile
        self.subscriptions = subscriptions
    }
}
