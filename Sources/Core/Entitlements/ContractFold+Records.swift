import MeteringModel

extension ContractFold {
    // MARK: products taken away or suspended

    /// Names what only revoked products would give, so that the reason can be told.
    mutating func addRevoked(_ revocations: [InForce<RevocationTerms>]) {
        for revocation in revocations {
            let source = revocation.terms.source(revocation.id)
            for own in shapeAlone([revocation.terms.product]) where own.denial == nil {
                addUnlessGiven(own.denied(.notEntitled, [source]))
            }
        }
    }

    /// What only suspended products give: it stays, so that usage counts on, and is denied at last
    /// by `suspend`.
    mutating func addSuspended(
        _ suspensions: [InForce<SuspensionTerms>], revoked: [ProductKey]
    ) {
        let products = suspensions.compactMap(\.terms.product).filter { !revoked.contains($0) }
        if products.isEmpty { return }
        for own in shapeAlone(products) where own.denial == nil {
            if addUnlessGiven(own) { suspended.insert(own.feature) }
        }
    }

    /// Denies what is suspended. What is over or taken away stays that.
    mutating func suspend(_ suspensions: [InForce<SuspensionTerms>]) {
        let whole = suspensions.filter { $0.terms.product == nil }
        for (index, own) in entitlements.enumerated() where own.denial == nil {
            var causes = whole
            if suspended.contains(own.feature) {
                // An add-on may be of another product than the subscription that it is held by.
                let all = suspensions.filter { $0.terms.product != nil }
                let matching = all.filter { $0.terms.product == own.product }
                causes += matching.isEmpty ? all : matching
            }
            if causes.isEmpty { continue }
            let sources = causes.map { $0.terms.source($0.id) }
            entitlements[index] = own.denied(.suspended, own.sources + sources)
        }
    }

    @discardableResult
    private mutating func addUnlessGiven(_ entitlement: FeatureEntitlement) -> Bool {
        let place = entitlements.firstIndex { $0.feature == entitlement.feature }
        guard let place else {
            entitlements.append(entitlement)
            return true
        }
        if entitlements[place].denial != .expired { return false }
        entitlements[place] = entitlement
        return true
    }

    /// What the subscriptions of some products, and those with add-ons of them, give by themselves.
    private mutating func shapeAlone(_ products: [ProductKey]) -> [FeatureEntitlement] {
        let definitions = definitions
        var key = ShapeKey(parts: [])
        for holding in holdings where holding.isInForce {
            let isConcerned =
                products.contains(holding.plan.product)
                || holding.terms.addOns.contains {
                    definitions.addOn($0.key).map { products.contains($0.product) } ?? false
                }
            if !isConcerned { continue }
            key.parts.append(part(holding, isSuspended: true))
        }
        return definitions.shapes.shape(key) { BaseFold(key, definitions).shape() }.entitlements
    }

    // MARK: overrides

    mutating func apply(_ overrides: [InForce<OverrideTerms>]) {
        let ranked = overrides.sorted { left, right in
            if left.terms.priority != right.terms.priority {
                return left.terms.priority > right.terms.priority
            }
            if left.terms.start != right.terms.start { return left.terms.start > right.terms.start }
            return left.id < right.id
        }
        // Of several for one feature the first holds.
        var done: Set<FeatureKey> = []
        for override in ranked where done.insert(override.terms.feature).inserted {
            apply(override)
        }
    }

    private mutating func apply(_ override: InForce<OverrideTerms>) {
        let key = override.terms.feature
        guard let feature = definitions.feature(key), let number = definitions.featureNumber(key)
        else { return }
        let place = entitlements.firstIndex { $0.feature == key }
        let own = place.map { entitlements[$0] }
        // What is over, revoked or suspended does not come back by a deviation from it.
        if own?.denial != nil { return }
        guard let product = own?.product ?? productOfDeviation(key) else { return }
        guard let value = value(override, feature, over: own?.value) else { return }
        let source = "override \(override.id)"
        let made = FeatureEntitlement(
            feature: key, number: number,
            meterIndex: feature.meter.flatMap { definitions.meterIndex($0) } ?? -1, value: value,
            binding: override.terms.binding ?? own?.binding,
            sources: value.keepsSources ? (own?.sources ?? []) + [source] : [source],
            product: product, price: own?.price)
        if let place { entitlements[place] = made } else { entitlements.append(made) }
    }

    private mutating func value(
        _ override: InForce<OverrideTerms>, _ feature: FeatureDefinition,
        over own: FeatureEntitlement.Value?
    ) -> FeatureEntitlement.Value? {
        switch (feature.type, override.terms.value) {
        case (.boolean, .boolean(let isOn)): return .boolean(isOn)
        case (.static, .value(let text)): return .value(text)
        case (.seat, .seats(let count)):
            var seats = SeatEntitlement(seats: count)
            if case .seats(let planned) = own { seats = planned }
            seats.seats = count
            return .seats(seats)
        case (.metered, .metered(let change)):
            return metered(change, feature, over: own, from: override.terms.start)
        default: return nil
        }
    }

    private mutating func metered(
        _ change: OverrideTerms.MeteredChange, _ feature: FeatureDefinition,
        over own: FeatureEntitlement.Value?, from start: Timestamp
    ) -> FeatureEntitlement.Value? {
        var quota: Quota
        var anchor: Int?
        if case .metered(let planned, let place) = own {
            quota = planned
            anchor = place
        } else {
            // Nothing to deviate from: without a limit of its own it gives nothing.
            guard let limit = change.limit else { return nil }
            let alone = MeteredEntitlement(limit: limit, period: change.period ?? .month)
            guard let template = QuotaTemplate(feature, alone, definitions) else { return nil }
            quota = template.quota
        }
        if let limit = change.limit { quota.limit = limit }
        if let period = change.period { quota.rule.unit = period }
        switch change.anchor {
        case .calendar: anchor = nil
        case .subscription:
            let holding = holdings.first { $0.isInForce }
            anchor = anchor ?? place(of: holding.map { $0.terms.anchor ?? $0.terms.start } ?? start)
        case nil: break
        }
        if let enforcement = change.enforcement { quota.enforcement = enforcement }
        if let onOutage = change.onOutage { quota.onOutage = onOutage }
        if let grace = change.grace { quota.grace = grace }
        if let overageMax = change.overageMax { quota.overageMax = overageMax }
        quota.thresholds = QuotaTemplate.thresholds(
            change.thresholds ?? quota.thresholds, of: quota.limit)
        return .metered(quota, anchor: anchor)
    }

    /// The product that a feature which no subscription gives is counted to; nil when it is not to
    /// be given: deviations end with the subscription that they deviate from. A customer without
    /// any subscription has them by themselves.
    private func productOfDeviation(_ feature: FeatureKey) -> ProductKey? {
        let given = holdings.filter { isGiven($0) }
        let knowing = given.first { definitions.product($0.plan.product, knows: feature) }
        if let knowing { return knowing.plan.product }
        let isLost = holdings.contains { definitions.product($0.plan.product, knows: feature) }
        if isLost { return nil }
        return given.first?.plan.product ?? (holdings.isEmpty ? .default : nil)
    }

    // MARK: grants

    mutating func attach(_ grants: [InForce<GrantTerms>]) {
        var byFeature: [FeatureKey: [Quota.Grant]] = [:]
        for grant in grants {
            byFeature[grant.terms.feature, default: []].append(
                Quota.Grant(id: grant.id, terms: grant.terms))
        }
        for (key, unsorted) in byFeature {
            attach(unsorted.sorted(by: GrantBurnDown.isUsedBefore), to: key)
        }
    }

    private mutating func attach(_ grants: [Quota.Grant], to key: FeatureKey) {
        guard let feature = definitions.feature(key), let number = definitions.featureNumber(key),
            feature.type == .metered
        else { return }
        let place = entitlements.firstIndex { $0.feature == key }
        let own = place.map { entitlements[$0] }
        if own?.denial != nil { return }
        guard let product = own?.product ?? productOfDeviation(key) else { return }
        var quota: Quota
        var anchor: Int?
        if case .metered(let planned, let at) = own?.value {
            // No limit needs no more.
            if planned.limit == .unlimited { return }
            quota = planned
            anchor = at
        } else {
            let nothing = MeteredEntitlement(limit: .finite(0), period: .lifetime)
            guard let template = QuotaTemplate(feature, nothing, definitions) else { return }
            quota = template.quota
        }
        quota.grants = grants
        let made = FeatureEntitlement(
            feature: key, number: number,
            meterIndex: feature.meter.flatMap { definitions.meterIndex($0) } ?? -1,
            value: .metered(quota, anchor: anchor), binding: own?.binding,
            sources: (own?.sources ?? []) + grants.map { "grant \($0.id)" },
            product: product, price: own?.price)
        if let place { entitlements[place] = made } else { entitlements.append(made) }
    }
}

extension FeatureEntitlement.Value {
    /// An override of a number keeps the rest of what the plan says; others replace it whole.
    fileprivate var keepsSources: Bool {
        switch self {
        case .metered, .seats: true
        case .boolean, .value: false
        }
    }
}

extension CompiledDefinitions {
    /// Whether any plan or add-on of a product names a feature.
    func product(_ product: ProductKey, knows feature: FeatureKey) -> Bool {
        catalog.plans.contains { $0.product == product && $0.entitlements[feature] != nil }
            || catalog.addOns.contains { $0.product == product && $0.entitlements[feature] != nil }
    }
}
