/// The catalog document as written: products, meters, features, plans, add-ons, customers. Plain
/// values; what they mean together is compiled by the Entitlements target.
public struct Catalog: Hashable, Sendable {
    public var products: [ProductDefinition]
    public var meters: [MeterDefinition]
    public var features: [FeatureDefinition]
    /// The latest version of each.
    public var plans: [PlanDefinition]
    /// Earlier versions that subscriptions may still be pinned to; never part of a document.
    public var pastPlans: [PlanDefinition]
    public var addOns: [AddOnDefinition]
    public var stripe: StripeMapping?
    /// The customers that the document manages.
    public var customers: [CustomerDefinition]

    public init(
        products: [ProductDefinition] = [], meters: [MeterDefinition] = [],
        features: [FeatureDefinition] = [], plans: [PlanDefinition] = [],
        pastPlans: [PlanDefinition] = [], addOns: [AddOnDefinition] = [],
        stripe: StripeMapping? = nil, customers: [CustomerDefinition] = []
    ) {
        self.products = products
        self.meters = meters
        self.features = features
        self.plans = plans
        self.pastPlans = pastPlans
        self.addOns = addOns
        self.stripe = stripe
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
    /// How many sets of dimension values are kept apart in a month; further ones count together.
    public var groupsMax: Int

    public static let groupsMaxUsual = 10_000

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
        allowsNegative: Bool = false, groupsMax: Int = groupsMaxUsual
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
        self.groupsMax = groupsMax
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
