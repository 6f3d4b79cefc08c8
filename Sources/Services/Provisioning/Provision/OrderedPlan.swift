import Entitlements
import MeteringModel
import MeteringPorts

/// The plan that an order means, and what names of the order mean in it.
struct OrderedPlan {
    let plan: PlanDefinition
    let features: [FeatureKey: FeatureDefinition]

    /// A number of the order, with the feature it is for.
    enum Allowance: Hashable {
        case seats(FeatureKey, Limit)
        /// `period` only where the plan gives none.
        case units(FeatureKey, Limit, period: PeriodUnit?)

        var feature: FeatureKey {
            switch self {
            case .seats(let feature, _), .units(let feature, _, _): feature
            }
        }
    }

    init(_ plan: PlanDefinition, _ catalog: Catalog) {
        self.plan = plan
        features = Dictionary(catalog.features.map { ($0.key, $0) }) { first, _ in first }
    }

    /// Whether the feature must be switched on for the customer, because the plan does not.
    func needsSwitch(_ feature: FeatureKey, field: String) throws(ControlProblem) -> Bool {
        guard let definition = features[feature] else {
            throw .unknown(
                .feature, feature.rawValue, field: field, known: features.keys.map(\.rawValue))
        }
        switch plan.entitlements[feature] {
        case .boolean(true), .value, .metered, .seats: return false
        case .boolean(false), nil: break
        }
        if definition.type == .boolean { return true }
        throw ControlProblem(
            .unprocessable, "wrong_feature_type",
            "\(field) is \"\(feature)\", a \(definition.type.rawValue) feature that plan "
                + "\(plan.key) does not give; it cannot be switched on"
                + (definition.type == .static ? "" : ", name it under limits with a number"),
            field: field)
    }

    /// What `name` under `limits` is about.
    func allowance(_ limit: VendorPayload.NamedLimit) throws(ControlProblem) -> Allowance {
        if let definition = features[FeatureKey(limit.name)] {
            return try allowance(definition, nil, limit)
        }
        if limit.name == "seats" {
            return .seats(try seatFeature(field: limit.field), limit.limit)
        }
        for period in PeriodUnit.allCases {
            let suffix = "_per_\(period.rawValue)"
            guard limit.name.hasSuffix(suffix) else { continue }
            let key = FeatureKey(limit.name.dropLast(suffix.count))
            guard let definition = features[key] else { continue }
            return try allowance(definition, period, limit)
        }
        throw ControlProblem(
            .unprocessable, "unknown_limit",
            "\(limit.field) names no feature of the catalog"
                + NearestKey.hint(for: limit.name, in: limitNames),
            field: limit.field)
    }

    /// The feature that `seats` counts.
    func seatFeature(field: String) throws(ControlProblem) -> FeatureKey {
        let given = plan.entitlements.keys.filter { features[$0]?.type == .seat }.sorted()
        if given.count == 1 { return given[0] }
        if features["seats"]?.type == .seat { return "seats" }
        throw ControlProblem(
            .unprocessable, "no_seat_feature",
            given.isEmpty
                ? "plan \(plan.key) gives no seats; leave \(field) out, or choose another plan"
                : "plan \(plan.key) gives several kinds of seats; name one under limits: "
                    + given.map(\.rawValue).joined(separator: ", "),
            field: field)
    }

    private func allowance(
        _ definition: FeatureDefinition, _ period: PeriodUnit?, _ limit: VendorPayload.NamedLimit
    ) throws(ControlProblem) -> Allowance {
        switch definition.type {
        case .boolean, .static:
            throw ControlProblem(
                .unprocessable, "wrong_feature_type",
                "\(limit.field) is a \(definition.type.rawValue) feature, which has no limit",
                field: limit.field)
        case .seat:
            if period == nil { return .seats(definition.key, limit.limit) }
        case .metered:
            guard case .metered(let given) = plan.entitlements[definition.key] else {
                if let period { return .units(definition.key, limit.limit, period: period) }
                throw ControlProblem(
                    .unprocessable, "missing_period",
                    "plan \(plan.key) does not give \(definition.key); say for which period, "
                        + "e.g. limits.\(definition.key)_per_month",
                    field: limit.field)
            }
            if period == nil || period == given.period {
                return .units(definition.key, limit.limit, period: nil)
            }
            throw ControlProblem(
                .unprocessable, "wrong_period",
                "plan \(plan.key) counts \(definition.key) per \(given.period.rawValue); write "
                    + "limits.\(definition.key)_per_\(given.period.rawValue)",
                field: limit.field)
        }
        throw ControlProblem(
            .unprocessable, "wrong_period",
            "\(definition.key) is a seat feature, which has no period; write "
                + "limits.\(definition.key)",
            field: limit.field)
    }

    /// What could have been meant.
    private var limitNames: [String] {
        var names: Set<String> = ["seats"]
        for feature in features.values where [.metered, .seat].contains(feature.type) {
            names.insert(feature.key.rawValue)
            guard case .metered(let given) = plan.entitlements[feature.key] else { continue }
            names.insert("\(feature.key)_per_\(given.period.rawValue)")
        }
        return names.sorted()
    }
}
