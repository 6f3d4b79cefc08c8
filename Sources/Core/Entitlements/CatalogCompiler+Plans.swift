import MeteringModel

extension CatalogCompiler {
    static let thresholdsMax = 16
    /// 1,000 %.
    static let shareMax: Int64 = 100_000

    mutating func compilePlans(version: (PlanKey) -> Int) {
        let upgrades = UpgradePaths(catalog.plans)
        for (index, plan) in catalog.plans.enumerated() {
            let path = ["plans", String(index)]
            checkKey(plan.key.rawValue, at: path + ["key"])
            if shapes[plan.key] != nil {
                issues.add(path + ["key"], "there are two plans \"\(plan.key)\"")
                continue
            }
            let number = version(plan.key)
            var templates: [PlanShape.Template] = []
            for (feature, entitlement) in plan.entitlements.sorted(by: { $0.key < $1.key }) {
                let template = compile(
                    entitlement, of: feature, source: "plan \(plan.key) v\(number)",
                    at: path + ["entitlements", feature.rawValue])
                if let template { templates.append(template) }
            }
            shapes[plan.key] = PlanShape(
                plan: plan.key, version: number, entitlements: plan.entitlements,
                templates: templates, meterCount: catalog.meters.count,
                upgradeOfFeature: upgrades.hints(for: plan.entitlements))
        }
    }

    /// The quota of a metered entitlement; nil for others, and where there is an issue.
    private mutating func compile(
        _ entitlement: EntitlementDefinition, of key: FeatureKey, source: String, at path: [String]
    ) -> PlanShape.Template? {
        guard let feature = parts.features[key] else {
            let hint = NearestKey.hint(
                for: key.rawValue, in: catalog.features.map(\.key.rawValue))
            issues.add(path, "there is no feature \"\(key)\"\(hint)")
            return nil
        }
        switch (feature.type, entitlement) {
        case (.boolean, .boolean): return nil
        case (.static, .value): return nil
        case (.metered, .metered(let metered)):
            guard let meterKey = feature.meter, let meterIndex = parts.meterIndexes[meterKey]
            else { return nil }
            let meter = catalog.meters[meterIndex]
            check(metered, of: feature, meter, at: path)
            let quota = Quota(
                customer: "", feature: key, meter: meterKey, aggregation: meter.aggregation,
                scale: meter.scale, limit: metered.limit, enforcement: metered.enforcement,
                counting: feature.counting, durability: metered.durability,
                onOutage: metered.onOutage,
                thresholds: metered.thresholds.sorted {
                    ($0.level(of: metered.limit) ?? .max) < ($1.level(of: metered.limit) ?? .max)
                },
                rule: PeriodRule(unit: metered.period, anchor: .calendar), source: source)
            return PlanShape.Template(meterIndex: meterIndex, anchor: metered.anchor, quota: quota)
        case (.boolean, _):
            issues.add(path, "\"\(key)\" is a boolean feature; its entitlement is true or false")
        case (.static, _):
            issues.add(path, "\"\(key)\" is a static feature; its entitlement is one value")
        case (.metered, _):
            issues.add(
                path,
                "\"\(key)\" is a metered feature; its entitlement has a limit and a period, "
                    + "e.g. {limit: 1000, period: month}")
        }
        return nil
    }

    private mutating func check(
        _ metered: MeteredEntitlement, of feature: FeatureDefinition, _ meter: MeterDefinition,
        at path: [String]
    ) {
        if let units = metered.limit.finite, units < 0 {
            issues.add(path + ["limit"], "a limit must not be negative; no limit is `unlimited`")
        }
        if metered.limit != .unlimited || !metered.thresholds.isEmpty,
            let reason = Self.reasonAgainstLimit(meter.aggregation)
        {
            issues.add(path + ["limit"], "meter \"\(meter.key)\" cannot be limited: \(reason)")
        }
        checkThresholds(of: metered, at: path + ["thresholds"])
        checkOutage(of: metered, counting: feature.counting, at: path)
    }

    /// A limit stops something that grows; nil when the aggregation is of that kind.
    private static func reasonAgainstLimit(_ aggregation: Aggregation) -> String? {
        switch aggregation {
        case .count, .sum, .max, .latest, .unique: nil
        case .min: "a minimum only falls as events arrive, so usage never grows towards a limit"
        case .avg: "an average rises and falls with each event, so it is not used up"
        }
    }

    private mutating func checkThresholds(of metered: MeteredEntitlement, at path: [String]) {
        if metered.thresholds.count > Self.thresholdsMax {
            issues.add(path, "a quota has at most \(Self.thresholdsMax) thresholds")
        }
        var seen: Set<Threshold> = []
        for (index, threshold) in metered.thresholds.enumerated() {
            let place = path + [String(index)]
            if !seen.insert(threshold).inserted {
                issues.add(place, "the threshold \(threshold.label) is there twice")
            }
            switch threshold {
            case .absolute(let units):
                if units <= 0 { issues.add(place, "a threshold must be above 0") }
            case .share(let basisPoints):
                if !(1...Self.shareMax).contains(basisPoints) {
                    issues.add(place, "a threshold must be above 0% and at most 1000%")
                } else if metered.limit == .unlimited {
                    issues.add(
                        place,
                        "\(threshold.label) of an unlimited quota is never reached; "
                            + "give a number")
                } else if metered.limit == .finite(0) {
                    issues.add(
                        place, "\(threshold.label) of the limit 0 is 0, which is always reached")
                }
            }
        }
    }

    private mutating func checkOutage(
        of metered: MeteredEntitlement, counting: CountingMode, at path: [String]
    ) {
        let place = path + ["on_outage"]
        switch metered.onOutage {
        case .closed, .open: break
        case .lastKnown(let seconds):
            if seconds <= 0 { issues.add(place, "last_known needs an age above 0, e.g. 30s") }
        case .allowance(let units):
            if units <= 0 { issues.add(place, "an allowance must be above 0") }
            if let limit = metered.limit.finite, units > limit, limit >= 0 {
                issues.add(place, "an allowance must not be larger than the limit")
            }
            if metered.limit == .unlimited {
                issues.add(place, "an unlimited quota needs no allowance; use open")
            }
            if counting == .events {
                issues.add(
                    place,
                    "an allowance is spent at admission, but this feature counts events; "
                        + "use closed, open or last_known")
            }
        }
        if metered.durability == .fast, counting == .events {
            issues.add(
                path + ["durability"],
                "durability is about admissions, but this feature counts events")
        }
    }
}
