package import MeteringModel

/// Something that people or systems outside should hear of, once.
package struct Notification: Sendable, Hashable {
    /// The same on every repetition; letters, digits, `_` and `-`.
    package var id: String
    /// E.g. `usage.threshold.warning`, `quota.exhausted`, `usage.threshold.resolved`,
    /// `usage.forecast.breach`, `usage.anomaly`, `upsell.candidate`, `ingest.cardinality`.
    package var type: String
    /// What endpoints filter by; nil where it does not apply.
    package var customer: CustomerID?
    package var feature: FeatureKey?
    package var plan: PlanKey?
    package var owner: String?
    /// In hundredths of a percent of the limit.
    package var levelBasisPoints: Int64?
    package var at: Timestamp
    package var data: JSONValue
    package init(
        id: String, type: String, customer: CustomerID? = nil, feature: FeatureKey? = nil,
        plan: PlanKey? = nil, owner: String? = nil, levelBasisPoints: Int64? = nil, at: Timestamp,
        data: JSONValue
    ) {
        self.id = id
        self.type = type
        self.customer = customer
        self.feature = feature
        self.plan = plan
        self.owner = owner
        self.levelBasisPoints = levelBasisPoints
        self.at = at
        self.data = data
    }
}

/// Where services leave what is to be told. Durable when it returns; one with an id that is known
/// already is passed over.
package protocol NotificationOutbox: AnyObject, Sendable {
    func publish(_ notifications: [Notification]) throws(LedgerError)
}

/// One change of a crossing's state: the ledger's outbox, in order.
package struct CrossingChange: Sendable, Hashable {
    package enum Kind: String, Sendable { case reached, resolved, reopened }
    package var sequence: Int64
    package var kind: Kind
    /// 1 for the first change of the crossing, which is `reached`; 2, 3, … for those after it.
    package var ordinal: Int
    package var at: Timestamp
    /// As it is now.
    package var crossing: StoredCrossing
    package init(
        sequence: Int64, kind: Kind, ordinal: Int, at: Timestamp, crossing: StoredCrossing
    ) {
        self.sequence = sequence
        self.kind = kind
        self.ordinal = ordinal
        self.at = at
        self.crossing = crossing
    }
}
