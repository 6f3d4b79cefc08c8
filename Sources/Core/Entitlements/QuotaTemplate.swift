import MeteringModel

/// A quota that still lacks its customer and its anchor.
struct QuotaTemplate {
    let quota: Quota
    let meterIndex: Int

    /// Nil when the feature has no known meter.
    init?(
        _ feature: FeatureDefinition, _ metered: MeteredEntitlement,
        _ definitions: CompiledDefinitions
    ) {
        guard let key = feature.meter, let index = definitions.meterIndex(key) else { return nil }
        let meter = definitions.meters[index]
        meterIndex = index
        quota = Quota(
            customer: "", feature: feature.key, meter: key, aggregation: meter.aggregation,
            scale: meter.scale, limit: metered.limit, enforcement: metered.enforcement,
            counting: feature.counting, durability: metered.durability,
            onOutage: metered.onOutage,
            thresholds: Self.thresholds(metered.thresholds, of: metered.limit),
            rule: PeriodRule(unit: metered.period, anchor: .calendar), source: "",
            grace: metered.grace, overageMax: metered.overageMax)
    }

    /// By level; a share of nothing is left out, since it would be reached before any usage.
    static func thresholds(_ thresholds: [Threshold], of limit: Limit) -> [Threshold] {
        thresholds.filter { $0.level(of: limit) != 0 }.sorted {
            ($0.level(of: limit) ?? .max) < ($1.level(of: limit) ?? .max)
        }
    }
}
