import MeteringModel

extension CatalogCompiler {
    static let thresholdsMax = 16
    /// 1,000 %.
    static let shareMax: Int64 = 100_000

    mutating func compileProduct(_ index: Int) {
        let product = catalog.products[index]
        let path = ["products", String(index), "key"]
        checkKey(product.key.rawValue, at: path)
        if parts.products.updateValue(product, forKey: product.key) != nil {
            issues.add(path, "there are two products \"\(product.key)\"")
        }
    }

    mutating func compilePlans() {
        for plan in catalog.pastPlans { parts.plans[plan.key, default: [:]][plan.version] = plan }
        for index in catalog.plans.indices {
            let key = catalog.plans[index].key
            let path = ["plans", String(index)]
            checkKey(key.rawValue, at: path + ["key"])
            if parts.latestPlans[key] != nil {
                issues.add(path + ["key"], "there are two plans \"\(key)\"")
                continue
            }
            if catalog.plans[index].version == 0 {
                // A document that was not numbered yet: the version after those that are known.
                parts.catalog.plans[index].version = (parts.plans[key]?.keys.max() ?? 0) + 1
            }
            let plan = catalog.plans[index]
            checkProduct(plan.product, at: path + ["product"])
            for (feature, entitlement) in plan.entitlements.sorted(by: { $0.key < $1.key }) {
                check(entitlement, of: feature, at: path + ["entitlements", feature.rawValue])
            }
            checkPrices(of: plan, at: path)
            for feature in plan.bindings.keys.sorted() where plan.entitlements[feature] == nil {
                issues.add(
                    path + ["entitlements", feature.rawValue],
                    "a binding needs an entitlement to bind")
            }
            parts.latestPlans[key] = plan
            parts.plans[key, default: [:]][plan.version] = plan
        }
    }

    mutating func compileAddOns() {
        for (index, addOn) in catalog.addOns.enumerated() {
            let path = ["add_ons", String(index)]
            checkKey(addOn.key.rawValue, at: path + ["key"])
            if parts.addOns.updateValue(addOn, forKey: addOn.key) != nil {
                issues.add(path + ["key"], "there are two add-ons \"\(addOn.key)\"")
            }
            checkProduct(addOn.product, at: path + ["product"])
            for (feature, entitlement) in addOn.entitlements.sorted(by: { $0.key < $1.key }) {
                check(entitlement, of: feature, at: path + ["entitlements", feature.rawValue])
            }
            checkPrices(of: addOn, at: path)
        }
    }

    /// What can be checked only when all plans and add-ons are known.
    mutating func checkReferences() {
        for (index, product) in catalog.products.enumerated() {
            guard let key = product.defaultPlan else { continue }
            let path = ["products", String(index), "default_plan"]
            guard let plan = parts.latestPlans[key] else {
                issues.add(path, "there is no plan \"\(key)\"\(planHint(key))")
                continue
            }
            if plan.product != product.key {
                issues.add(path, "plan \"\(key)\" belongs to product \"\(plan.product)\"")
            }
        }
        checkStripeMeters()
        for (price, target) in (catalog.stripe?.prices ?? [:]).sorted(by: { $0.key < $1.key }) {
            let path = ["stripe", "prices", price]
            switch target {
            case .plan(let key):
                if parts.latestPlans[key] == nil {
                    issues.add(path, "there is no plan \"\(key)\"\(planHint(key))")
                }
            case .addOn(let key):
                if parts.addOns[key] == nil { issues.add(path, "there is no add-on \"\(key)\"") }
            case .seats(let key):
                if parts.features[key]?.type != .seat {
                    issues.add(path, "there is no seat feature \"\(key)\"")
                }
            }
        }
    }

    private func planHint(_ key: PlanKey) -> String {
        NearestKey.hint(for: key.rawValue, in: catalog.plans.map(\.key.rawValue))
    }

    private mutating func checkProduct(_ key: ProductKey, at path: [String]) {
        if key == .default || parts.products[key] != nil { return }
        let hint = NearestKey.hint(
            for: key.rawValue, in: catalog.products.map(\.key.rawValue))
        issues.add(path, "there is no product \"\(key)\"\(hint)")
    }

    private mutating func check(
        _ entitlement: EntitlementDefinition, of key: FeatureKey, at path: [String]
    ) {
        guard let feature = parts.features[key] else {
            let hint = NearestKey.hint(
                for: key.rawValue, in: catalog.features.map(\.key.rawValue))
            issues.add(path, "there is no feature \"\(key)\"\(hint)")
            return
        }
        switch (feature.type, entitlement) {
        case (.boolean, .boolean), (.static, .value): break
        case (.metered, .metered(let metered)):
            guard let meter = feature.meter, let index = parts.meterIndexes[meter] else { return }
            check(metered, of: feature, catalog.meters[index], at: path)
        case (.seat, .seats(let seats)): check(seats, at: path)
        default: issues.add(path, Self.mismatch(key, feature.type))
        }
    }

    /// What an entitlement of a feature must look like.
    static func mismatch(_ key: FeatureKey, _ type: FeatureType) -> String {
        switch type {
        case .boolean: "\"\(key)\" is a boolean feature; its entitlement is true or false"
        case .static: "\"\(key)\" is a static feature; its entitlement is one value"
        case .metered:
            "\"\(key)\" is a metered feature; its entitlement has a limit and a period, "
                + "e.g. {limit: 1000, period: month}"
        case .seat: "\"\(key)\" is a seat feature; its entitlement is a number of seats"
        }
    }

    private mutating func check(_ seats: SeatEntitlement, at path: [String]) {
        if let count = seats.seats.finite, count < 0 {
            issues.add(path + ["seats"], "seats must not be negative; no limit is `unlimited`")
        }
        if seats.heartbeatSeconds <= 0 {
            issues.add(path + ["heartbeat"], "a heartbeat needs a time above 0, e.g. 300s")
        }
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
        if let days = metered.grace?.days, days < 0 {
            issues.add(path + ["grace", "days"], "days of grace must not be negative")
        }
        if let units = metered.grace?.units, units < 0 {
            issues.add(path + ["grace", "units"], "units of grace must not be negative")
        }
        if let units = metered.overageMax, units < 0 {
            issues.add(path + ["overage_max"], "an overage must not be negative")
        }
        checkThresholds(of: metered, at: path + ["thresholds"])
        checkOutage(of: metered, counting: feature.counting, at: path)
    }

    /// A limit stops something that grows; nil when the aggregation is of that kind.
    static func reasonAgainstLimit(_ aggregation: Aggregation) -> String? {
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
            if let message = Self.problem(with: threshold) {
                issues.add(place, message)
            } else if case .share = threshold {
                if metered.limit == .unlimited {
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

    static func problem(with threshold: Threshold) -> String? {
        switch threshold {
        case .absolute(let units): units > 0 ? nil : "a threshold must be above 0"
        case .share(let basisPoints):
            (1...shareMax).contains(basisPoints)
                ? nil : "a threshold must be above 0% and at most 1000%"
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
