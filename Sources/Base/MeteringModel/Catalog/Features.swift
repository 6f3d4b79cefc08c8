public enum FeatureType: String, Sendable, Hashable, Codable, CaseIterable {
    case boolean, `static`, metered, seat
}

public struct FeatureDefinition: Hashable, Sendable {
    public var key: FeatureKey
    /// For people.
    public var name: String?
    public var type: FeatureType
    /// Metered only.
    public var meter: MeterKey?
    public var counting: CountingMode
    public init(
        key: FeatureKey, name: String? = nil, type: FeatureType, meter: MeterKey? = nil,
        counting: CountingMode = .events
    ) {
        self.key = key
        self.name = name
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
    case seats(SeatEntitlement)
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
    /// Hard quotas: what may still be used past the limit.
    public var grace: Grace?
    /// Soft quotas: units past the limit at which usage stops after all; nil: never.
    public var overageMax: Int64?
    /// Nil: usage costs nothing.
    public var price: UsagePrice?
    public init(
        limit: Limit, period: PeriodUnit, anchor: Anchor = .calendar, thresholds: [Threshold] = [],
        enforcement: EnforcementMode = .hard, onOutage: OutagePolicy = .closed,
        durability: AdmissionDurability = .logged, grace: Grace? = nil, overageMax: Int64? = nil,
        price: UsagePrice? = nil
    ) {
        self.limit = limit
        self.period = period
        self.anchor = anchor
        self.thresholds = thresholds
        self.enforcement = enforcement
        self.onOutage = onOutage
        self.durability = durability
        self.grace = grace
        self.overageMax = overageMax
        self.price = price
    }
}

/// Leniency of a hard quota: after its limit is reached, usage goes on until `units` more are used
/// or `days` have gone by since, whichever comes first. What is left out does not bound it; the end
/// of the period always does.
public struct Grace: Hashable, Sendable {
    public var units: Int64?
    public var days: Int?
    public init(units: Int64? = nil, days: Int? = nil) {
        self.units = units
        self.days = days
    }
}

/// Seats that holders (users, devices) take up: for good until released, or while they are active.
public struct SeatEntitlement: Hashable, Sendable {
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// Assigned to a holder until released.
        case named
        /// Taken by a session that must send heartbeats.
        case concurrent
    }
    public var seats: Limit
    public var mode: Mode
    /// A concurrent seat whose holder was silent for so long is free again, seconds.
    public var heartbeatSeconds: Int64
    /// For each seat, per billing cycle of the subscription.
    public var price: RecurringPrice?
    public init(
        seats: Limit, mode: Mode = .named, heartbeatSeconds: Int64 = 300,
        price: RecurringPrice? = nil
    ) {
        self.seats = seats
        self.mode = mode
        self.heartbeatSeconds = heartbeatSeconds
        self.price = price
    }
}

/// Where an entitlement holds. An empty list binds nothing; a bound entitlement is denied to a
/// check that does not say where it comes from.
public struct Binding: Hashable, Sendable {
    /// Host names; `*.example.com` takes every host below `example.com`.
    public var domains: [String]
    /// Region codes, compared without regard to case.
    public var regions: [String]
    public init(domains: [String] = [], regions: [String] = []) {
        self.domains = domains
        self.regions = regions
    }
    public var isEmpty: Bool { domains.isEmpty && regions.isEmpty }
}
