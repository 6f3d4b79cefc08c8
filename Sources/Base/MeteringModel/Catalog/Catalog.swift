/// The catalog document as written: meters, features, plans, customers. Plain values; what they mean
/// together is compiled by the Entitlements target.
public struct Catalog: Hashable, Sendable {
    public var meters: [MeterDefinition]
    public var features: [FeatureDefinition]
    public var plans: [PlanDefinition]
    public var customers: [CustomerDefinition]

    public init(
        meters: [MeterDefinition] = [], features: [FeatureDefinition] = [],
        plans: [PlanDefinition] = [], customers: [CustomerDefinition] = []
    ) {
        self.meters = meters
        self.features = features
        self.plans = plans
        self.customers = customers
    }
}

/// Which events a meter takes, which value, and how values become one number.
public struct MeterDefinition: Hashable, Sendable {
    public var key: MeterKey
    public var eventType: String
    public var aggregation: Aggregation
    /// Path of the value inside the event's data, e.g. `$.usage.total_tokens`; nil for count.
    public var value: ValuePath?
    /// Free text for people: `token`, `byte`, `request`.
    public var unit: String
    /// Decimal places kept: an amount of 1.25 at scale 2 is 125 units.
    public var scale: Int
    /// Dimension name and path, sorted by name.
    public var groupBy: [Dimension]
    /// All must match for the event to count.
    public var filters: [MeterFilter]
    /// Whether values below zero are counted or dead-lettered.
    public var allowsNegative: Bool

    public struct Dimension: Hashable, Sendable {
        public var name: String
        public var path: ValuePath
        public init(name: String, path: ValuePath) {
            self.name = name
            self.path = path
        }
    }

    public init(
        key: MeterKey, eventType: String, aggregation: Aggregation, value: ValuePath? = nil,
        unit: String = "", scale: Int = 0, groupBy: [Dimension] = [], filters: [MeterFilter] = [],
        allowsNegative: Bool = false
    ) {
        self.key = key
        self.eventType = eventType
        self.aggregation = aggregation
        self.value = value
        self.unit = unit
        self.scale = scale
        self.groupBy = groupBy
        self.filters = filters
        self.allowsNegative = allowsNegative
    }
}

/// A condition on one value of the event's data: its text must be one of `accepted`.
public struct MeterFilter: Hashable, Sendable {
    public var path: ValuePath
    public var accepted: [String]
    public init(path: ValuePath, accepted: [String]) {
        self.path = path
        self.accepted = accepted
    }
}

/// A path of object members below the event's `data`: `$.a.b` has the members ["a", "b"].
public struct ValuePath: Hashable, Sendable {
    public var members: [String]

    public init(members: [String]) { self.members = members }

    /// Parses `$.a.b`; nil when it is not of that form (no wildcards, no indexes, 1 to 8 members).
    public init?(_ text: String) {
        guard text.hasPrefix("$.") else { return nil }
        let parts = text.dropFirst(2).split(separator: ".", omittingEmptySubsequences: false)
        guard (1...8).contains(parts.count) else { return nil }
        for part in parts {
            if part.isEmpty || part.contains(where: { "[]*'\" ".contains($0) }) { return nil }
        }
        members = parts.map(String.init)
    }

    public var text: String { "$." + members.joined(separator: ".") }
}

public enum FeatureType: String, Sendable, Hashable, Codable, CaseIterable {
    case boolean, `static`, metered
}

public struct FeatureDefinition: Hashable, Sendable {
    public var key: FeatureKey
    public var type: FeatureType
    /// Metered only.
    public var meter: MeterKey?
    public var counting: CountingMode
    public init(
        key: FeatureKey, type: FeatureType, meter: MeterKey? = nil, counting: CountingMode = .events
    ) {
        self.key = key
        self.type = type
        self.meter = meter
        self.counting = counting
    }
}

/// What a plan gives for one feature.
public enum EntitlementDefinition: Hashable, Sendable {
    case boolean(Bool)
    case value(String)
    case metered(MeteredEntitlement)
}

public struct MeteredEntitlement: Hashable, Sendable {
    public enum Anchor: String, Sendable, Hashable, Codable, CaseIterable {
        case calendar, subscription
    }
    public var limit: Limit
    public var period: PeriodUnit
    public var anchor: Anchor
    public var thresholds: [Threshold]
    public var enforcement: EnforcementMode
    public var onOutage: OutagePolicy
    public var durability: AdmissionDurability
    public init(
        limit: Limit, period: PeriodUnit, anchor: Anchor = .calendar, thresholds: [Threshold] = [],
        enforcement: EnforcementMode = .hard, onOutage: OutagePolicy = .closed,
        durability: AdmissionDurability = .logged
    ) {
        self.limit = limit
        self.period = period
        self.anchor = anchor
        self.thresholds = thresholds
        self.enforcement = enforcement
        self.onOutage = onOutage
        self.durability = durability
    }
}

public struct PlanDefinition: Hashable, Sendable {
    public var key: PlanKey
    public var entitlements: [FeatureKey: EntitlementDefinition]
    public init(key: PlanKey, entitlements: [FeatureKey: EntitlementDefinition]) {
        self.key = key
        self.entitlements = entitlements
    }
}

public struct CustomerDefinition: Hashable, Sendable {
    public struct Subscription: Hashable, Sendable {
        public var plan: PlanKey
        /// A date means midnight in the customer's zone.
        public var start: Timestamp
        public init(plan: PlanKey, start: Timestamp) {
            self.plan = plan
            self.start = start
        }
    }
    public var id: CustomerID
    public var timeZone: String
    public var subjects: [SubjectID]
    public var parent: CustomerID?
    public var subscription: Subscription?
    public init(
        id: CustomerID, timeZone: String = "UTC", subjects: [SubjectID] = [],
        parent: CustomerID? = nil, subscription: Subscription? = nil
    ) {
        self.id = id
        self.timeZone = timeZone
        self.subjects = subjects
        self.parent = parent
        self.subscription = subscription
    }
}
