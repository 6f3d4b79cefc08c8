import MeteringModel

/// What subscriptions with their add-ons and seats give together. Names no customer.
struct BaseFold {
    /// What one subscription gives of one feature.
    struct Offer {
        var product: ProductKey
        var sources: [String]
        var value: EntitlementDefinition
        var binding: Binding?
        var anchor: Int
        var hasEnded: Bool
        var isTrial: Bool
        /// Of a metered entitlement that is paid for.
        var price: FeaturePrice?
    }

    private let key: ShapeKey
    private let definitions: CompiledDefinitions
    private var offers: [FeatureKey: [Offer]] = [:]
    private var additions: [FeatureKey: [Offer]] = [:]

    init(_ key: ShapeKey, _ definitions: CompiledDefinitions) {
        self.key = key
        self.definitions = definitions
        for part in key.parts { collect(part) }
    }

    func shape() -> EntitlementShape {
        var entitlements: [FeatureEntitlement] = []
        for feature in Set(offers.keys).union(additions.keys) {
            if let entitlement = entitlement(feature) { entitlements.append(entitlement) }
        }
        let first = key.parts.first { !$0.hasEnded }
        let ended = key.parts.filter(\.hasEnded)
        let isOver = first == nil && !ended.isEmpty
        return EntitlementShape(
            plan: first?.plan, planVersion: first?.version ?? 0, entitlements: entitlements,
            absence: isOver ? .expired : .notEntitled,
            absenceSources: isOver ? ended.map { Self.source($0) } : [],
            upgrades: definitions.upgrades)
    }

    static func source(_ part: ShapeKey.Part) -> String {
        let plan = "plan \(part.plan) v\(part.version)"
        switch (part.isTrial, part.hasEnded) {
        case (false, false): return plan
        case (true, false): return "\(plan) (trial)"
        case (false, true): return "\(plan) (expired)"
        case (true, true): return "\(plan) (trial expired)"
        }
    }

    private mutating func collect(_ part: ShapeKey.Part) {
        guard let plan = definitions.plan(part.plan, version: part.version) else { return }
        var given = plan.entitlements
        var seatSources: Set<FeatureKey> = []
        for (feature, seats) in part.seats {
            var own = SeatEntitlement(seats: seats)
            if case .seats(let planned) = given[feature] { own = planned }
            own.seats = seats
            given[feature] = .seats(own)
            seatSources.insert(feature)
        }
        for (feature, value) in given {
            let sources =
                [Self.source(part)] + (seatSources.contains(feature) ? ["seats bought"] : [])
            offers[feature, default: []].append(
                Offer(
                    product: plan.product, sources: sources, value: value,
                    binding: plan.bindings[feature].flatMap { $0.isEmpty ? nil : $0 },
                    anchor: part.anchor, hasEnded: part.hasEnded, isTrial: part.isTrial,
                    price: Self.price(of: value, plan, part)))
        }
        for held in part.addOns {
            guard let addOn = definitions.addOn(held.key) else { continue }
            let times = held.quantity == 1 ? "" : " × \(held.quantity)"
            for (feature, value) in addOn.entitlements {
                additions[feature, default: []].append(
                    Offer(
                        product: plan.product, sources: ["add-on \(addOn.key)\(times)"],
                        value: value.multiplied(by: held.quantity), binding: nil,
                        anchor: part.anchor, hasEnded: false, isTrial: false))
            }
        }
    }

    private static func price(
        of value: EntitlementDefinition, _ plan: PlanDefinition, _ part: ShapeKey.Part
    ) -> FeaturePrice? {
        guard !part.isTrial, !part.hasEnded, case .metered(let metered) = value,
            let price = metered.price, let currency = plan.currency
        else { return nil }
        return FeaturePrice(price: price, currency: currency, source: source(part))
    }

    private func entitlement(_ key: FeatureKey) -> FeatureEntitlement? {
        guard let feature = definitions.feature(key), let number = definitions.featureNumber(key)
        else { return nil }
        let all = offers[key] ?? []
        let given = all.filter { !$0.hasEnded }.sorted(by: Self.isBefore)
        let added = (additions[key] ?? []).sorted(by: Self.isBefore)
        let isExpired = given.isEmpty && added.isEmpty
        let considered = isExpired ? all.sorted(by: Self.isBefore) : given
        guard let sum = Self.combined(feature.type, considered, added) else { return nil }
        var value: FeatureEntitlement.Value
        var meterIndex = -1
        switch sum.value {
        case .boolean(let isOn): value = .boolean(isOn)
        case .value(let text): value = .value(text)
        case .seats(let seats): value = .seats(seats)
        case .metered(let metered):
            guard let template = QuotaTemplate(feature, metered, definitions) else { return nil }
            meterIndex = template.meterIndex
            value = .metered(
                template.quota, anchor: metered.anchor == .subscription ? sum.anchor : nil)
        }
        return FeatureEntitlement(
            feature: key, number: number, meterIndex: meterIndex, value: value,
            denial: isExpired ? .expired : nil, binding: sum.binding, sources: sum.sources,
            product: sum.product, price: sum.price)
    }

    private static func isBefore(_ left: Offer, _ right: Offer) -> Bool {
        (left.product, left.sources[0]) < (right.product, right.sources[0])
    }

    // MARK: several offers of one feature; both lists are sorted

    private static func combined(
        _ type: FeatureType, _ given: [Offer], _ added: [Offer]
    ) -> Offer? {
        switch type {
        case .boolean: combinedSwitch(given + added)
        case .static: added.first { $0.value.isText } ?? given.first { $0.value.isText }
        case .metered:
            combinedAmounts(given, added) { offer in
                guard case .metered(let metered) = offer.value else { return nil }
                return metered.limit
            } key: { offer in
                guard case .metered(let metered) = offer.value else { return "" }
                let anchor = metered.anchor == .subscription ? String(offer.anchor) : "calendar"
                return "\(metered.period) \(anchor) \(metered.enforcement)"
            }
        case .seat:
            combinedAmounts(given, added) { offer in
                guard case .seats(let seats) = offer.value else { return nil }
                return seats.seats
            } key: { offer in
                guard case .seats(let seats) = offer.value else { return "" }
                return seats.mode.rawValue
            }
        }
    }

    /// On where any is on; where it is bound only when all that are on are bound.
    private static func combinedSwitch(_ offers: [Offer]) -> Offer? {
        let on = offers.filter { $0.value == .boolean(true) }
        guard var result = on.first(where: { $0.binding == nil }) ?? on.first else {
            return offers.first { $0.value == .boolean(false) }
        }
        let holding = on.filter { $0.binding == result.binding }
        result.sources = holding.flatMap(\.sources).unique
        result.product = holding[0].product
        return result
    }

    /// Amounts of the same kind add up; of several kinds the one with the most holds. What add-ons
    /// bring is added to that, or is all there is.
    private static func combinedAmounts(
        _ given: [Offer], _ added: [Offer], amount: (Offer) -> Limit?, key: (Offer) -> String
    ) -> Offer? {
        guard var result = most(given, amount: amount, key: key) else {
            return most(added, amount: amount, key: key)
        }
        guard var total = amount(result) else { return nil }
        for offer in added {
            guard let more = amount(offer) else { continue }
            total = total.adding(more)
            result.sources += offer.sources
        }
        result.value = result.value.with(total)
        result.sources = result.sources.unique
        return result
    }

    private static func most(
        _ offers: [Offer], amount: (Offer) -> Limit?, key: (Offer) -> String
    ) -> Offer? {
        struct Group {
            var lead: Offer
            var leadAmount: Limit
            var total: Limit
            var sources: [String]
            var binding: Binding?
        }
        var groups: [(key: String, group: Group)] = []
        for offer in offers {
            guard let own = amount(offer) else { continue }
            let key = key(offer)
            let place = groups.firstIndex { $0.key == key && $0.group.binding == offer.binding }
            guard let place else {
                let group = Group(
                    lead: offer, leadAmount: own, total: own, sources: offer.sources,
                    binding: offer.binding)
                groups.append((key, group))
                continue
            }
            groups[place].group.total = groups[place].group.total.adding(own)
            groups[place].group.sources += offer.sources
            if groups[place].group.leadAmount.isLess(than: own) {
                groups[place].group.lead = offer
                groups[place].group.leadAmount = own
            }
        }
        var best: Group?
        for (_, group) in groups where best.map({ $0.total.isLess(than: group.total) }) ?? true {
            best = group
        }
        guard let best else { return nil }
        var result = best.lead
        result.value = result.value.with(best.total)
        result.sources = best.sources.unique
        return result
    }
}

extension EntitlementDefinition {
    var isText: Bool {
        if case .value = self { return true }
        return false
    }

    /// The same with another limit or number of seats.
    func with(_ amount: Limit) -> EntitlementDefinition {
        switch self {
        case .boolean, .value: return self
        case .metered(var metered):
            metered.limit = amount
            return .metered(metered)
        case .seats(var seats):
            seats.seats = amount
            return .seats(seats)
        }
    }

    func multiplied(by quantity: Int64) -> EntitlementDefinition {
        switch self {
        case .boolean, .value: self
        case .metered(let metered): with(metered.limit.multiplied(by: quantity))
        case .seats(let seats): with(seats.seats.multiplied(by: quantity))
        }
    }
}

extension Limit {
    /// Unlimited when either is; sums beyond Int64 stop there.
    func adding(_ other: Limit) -> Limit {
        guard let own = finite, let more = other.finite else { return .unlimited }
        let (sum, isOver) = own.addingReportingOverflow(more)
        return .finite(isOver ? (more < 0 ? .min : .max) : sum)
    }

    func multiplied(by quantity: Int64) -> Limit {
        guard let own = finite else { return .unlimited }
        let (product, isOver) = own.multipliedReportingOverflow(by: quantity)
        return .finite(isOver ? ((own < 0) != (quantity < 0) ? .min : .max) : product)
    }

    func isLess(than other: Limit) -> Bool {
        guard let own = finite else { return false }
        guard let more = other.finite else { return true }
        return own < more
    }
}

extension Array where Element: Hashable {
    /// Each element once, at its first place.
    var unique: [Element] {
        if count < 2 { return self }
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
