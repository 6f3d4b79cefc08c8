import MeteringModel

/// All that a contract gives at an instant, apart from what names the customer: one object for all
/// customers of the same plan.
final class EntitlementShape: Sendable {
    /// The plan of the first subscription in force, by product; nil without one.
    let plan: PlanKey?
    /// 0 without a subscription.
    let planVersion: Int
    /// Sorted by feature.
    let entitlements: [FeatureEntitlement]
    /// Why a feature that is not among `entitlements` is denied.
    let absence: DecisionReason
    let absenceSources: [String]
    /// Feature numbers in the order of `entitlements`.
    private let numbers: [Int32]
    /// Positions in `entitlements`, sorted by meter, then feature.
    let quotaPlaces: [Int32]
    /// Meter indexes in the order of `quotaPlaces`.
    private let quotaMeters: [Int32]
    let upgrades: UpgradePaths

    /// - Parameter model: a shape whose lists are taken over where they are equal, to save memory.
    init(
        plan: PlanKey?, planVersion: Int, entitlements unsorted: [FeatureEntitlement],
        absence: DecisionReason, absenceSources: [String], upgrades: UpgradePaths,
        like model: EntitlementShape? = nil
    ) {
        self.plan = plan
        self.planVersion = planVersion
        self.absence = absence
        self.absenceSources = absenceSources
        self.upgrades = upgrades
        // Feature numbers are in the order of the keys.
        let entitlements = unsorted.sorted { $0.number < $1.number }
        let places = entitlements.indices.filter { entitlements[$0].hasQuota }.sorted {
            (entitlements[$0].meterIndex, $0) < (entitlements[$1].meterIndex, $1)
        }
        self.entitlements = entitlements
        numbers = Self.list(entitlements.map { Int32($0.number) }, like: model?.numbers)
        quotaPlaces = Self.list(places.map { Int32($0) }, like: model?.quotaPlaces)
        quotaMeters = Self.list(
            places.map { Int32(entitlements[$0].meterIndex) }, like: model?.quotaMeters)
    }

    private static func list(_ list: [Int32], like model: [Int32]?) -> [Int32] {
        if let model, model == list { return model }
        return list
    }

    /// Allocates nothing.
    func position(ofFeature number: Int) -> Int? {
        var low = 0
        var high = numbers.count
        while low < high {
            let middle = (low &+ high) &>> 1
            if Int(numbers[middle]) < number { low = middle &+ 1 } else { high = middle }
        }
        return low < numbers.count && Int(numbers[low]) == number ? low : nil
    }

    func entitlement(_ feature: FeatureKey) -> FeatureEntitlement? {
        entitlements.first { $0.feature == feature }
    }

    /// Where a meter's quotas stand among all. Allocates nothing.
    func quotas(ofMeter meterIndex: Int) -> Range<Int> {
        var low = 0
        while low < quotaMeters.count, Int(quotaMeters[low]) < meterIndex { low &+= 1 }
        var high = low
        while high < quotaMeters.count, Int(quotaMeters[high]) == meterIndex { high &+= 1 }
        return low..<high
    }

    /// The place of a feature's quota; nil when it has none. Allocates nothing.
    func quota(ofFeature number: Int) -> Int? {
        guard let position = position(ofFeature: number) else { return nil }
        return quotaPlaces.firstIndex { Int($0) == position }
    }
}

extension EntitlementShape: Equatable {
    static func == (left: EntitlementShape, right: EntitlementShape) -> Bool {
        if left === right { return true }
        return left.plan == right.plan && left.planVersion == right.planVersion
            && left.absence == right.absence && left.absenceSources == right.absenceSources
            && left.upgrades === right.upgrades && left.entitlements == right.entitlements
    }
}
