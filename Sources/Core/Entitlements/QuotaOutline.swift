public import MeteringModel

/// A quota without grants, grace and maximum of overage, as plain numbers: what a decision about it
/// takes, without copying the quota. Shared by all customers of whom the same holds.
public final class QuotaOutline: Sendable {
    /// Not below 0 where it is finite.
    public let limit: Limit
    public let enforcement: EnforcementMode
    public let scale: Int
    public let unit: PeriodUnit
    /// The subscription's place whose start anchors the periods; nil: the calendar.
    let anchor: Int?
    /// Ascending; usage at which thresholds are crossed.
    private let levels: [Int64]
    /// How many levels are reached → the labels of their thresholds.
    private let labels: [[String]]

    /// Nil where more than a limit decides.
    init?(_ quota: Quota, anchor: Int?) {
        if !quota.grants.isEmpty || quota.grace != nil || quota.overageMax != nil { return nil }
        if let units = quota.limit.finite, units < 0 { return nil }
        limit = quota.limit
        enforcement = quota.enforcement
        scale = quota.scale
        unit = quota.rule.unit
        self.anchor = anchor
        var reached: [(level: Int64, threshold: Threshold)] = []
        for threshold in quota.thresholds {
            guard let level = threshold.level(of: quota.limit),
                !reached.contains(where: { $0.threshold == threshold })
            else { continue }
            // What stands at 0 or below is crossed by the first unit used.
            reached.append((max(level, 1), threshold))
        }
        reached.sort { $0.level < $1.level }
        levels = reached.map(\.level)
        labels = (0...reached.count).map { reached.prefix($0).map(\.threshold.label) }
    }

    public var lowestThreshold: Int64? { levels.first }

    /// Labels of the thresholds that usage stands at or above, lowest first. Allocates nothing.
    public func thresholdsReached(_ used: Int64) -> [String] {
        var count = 0
        while count < levels.count, levels[count] <= used { count &+= 1 }
        return labels[count]
    }
}

/// The one quota that decides on a feature of a customer, at an instant.
public struct SoleQuota: Sendable {
    public let outline: QuotaOutline
    public let entitlement: FeatureEntitlement
    public let rule: PeriodRule
}

extension CompiledCustomer {
    /// The quota that alone decides on a feature: the customer's own, in force, bound to no place,
    /// with an outline, and no ancestors that have one too. Nil in all other cases. Allocates
    /// nothing.
    /// - Parameter feature: its number (`CompiledDefinitions.featureNumber`).
    public func soleQuota(feature: Int, at instant: Timestamp) -> SoleQuota? {
        let step = step(position(at: instant))
        guard !isRemoved, step.parent < 0 else { return nil }
        let shape = step.shape
        guard let place = shape.position(ofFeature: feature) else { return nil }
        let entitlement = shape.entitlements[place]
        guard let outline = entitlement.outline, entitlement.denial == nil,
            entitlement.binding == nil
        else { return nil }
        let anchor: PeriodAnchor
        switch outline.anchor {
        case nil: anchor = .calendar
        case 0?: anchor = .subscription(start: step.firstAnchor)
        case let other?:
            anchor = .subscription(start: step.otherAnchors[other &- 1])
        }
        return SoleQuota(
            outline: outline, entitlement: entitlement,
            rule: PeriodRule(unit: outline.unit, anchor: anchor))
    }
}
