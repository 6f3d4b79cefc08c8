/// A value that changes in time: each step holds from its instant to the next one's.
public struct Dated<Value: Hashable & Sendable>: Hashable, Sendable {
    public struct Step: Hashable, Sendable {
        public var from: Timestamp
        /// Nil: there is none from here on.
        public var value: Value?
        public init(from: Timestamp, value: Value?) {
            self.from = from
            self.value = value
        }
    }
    /// Ascending; before the first there is no value.
    public var steps: [Step]

    public init(steps: [Step]) { self.steps = steps }

    /// The same value at all times.
    public init(_ value: Value) { steps = [Step(from: .distantPast, value: value)] }

    public func value(at instant: Timestamp) -> Value? {
        steps.last { $0.from <= instant }?.value
    }
}

/// Everything that the control plane holds of one customer: what its entitlements are folded from.
public struct CustomerContract: Hashable, Sendable {
    /// One record and how it changed in time.
    public struct Held<Terms: Hashable & Sendable>: Hashable, Sendable {
        public var id: String
        public var terms: Dated<Terms>
        public init(id: String, terms: Dated<Terms>) {
            self.id = id
            self.terms = terms
        }
    }
    public var id: CustomerID
    public var profile: Dated<CustomerProfile>
    public var subscriptions: [Held<SubscriptionTerms>]
    public var overrides: [Held<OverrideTerms>]
    public var grants: [Held<GrantTerms>]
    public var suspensions: [Held<SuspensionTerms>]
    public var revocations: [Held<RevocationTerms>]

    public init(
        id: CustomerID, profile: Dated<CustomerProfile>,
        subscriptions: [Held<SubscriptionTerms>] = [], overrides: [Held<OverrideTerms>] = [],
        grants: [Held<GrantTerms>] = [], suspensions: [Held<SuspensionTerms>] = [],
        revocations: [Held<RevocationTerms>] = []
    ) {
        self.id = id
        self.profile = profile
        self.subscriptions = subscriptions
        self.overrides = overrides
        self.grants = grants
        self.suspensions = suspensions
        self.revocations = revocations
    }
}
